import { expect, test } from 'vitest';
import * as m from '../../src/metrics/index.ts';

const p = [
  [0.9, 0.1],
  [0.2, 0.8],
];
const y = [0, 0];

const calls: Record<string, [call: (o: never) => unknown, wrong: object, right: string]> = {
  calibrationError: [(o) => m.calibrationError(p, y, o), { numbins: 15 }, 'numBins'],
  classwiseCalibrationError: [(o) => m.classwiseCalibrationError(p, y, o), { averages: 'labels' }, 'average'],
  perClassCalibrationError: [(o) => m.perClassCalibrationError(p, y, o), { Norm: 'l2' }, 'norm'],
  reliabilityDiagram: [(o) => m.reliabilityDiagram(p, y, o), { classindex: 1 }, 'classIndex'],
  brierScore: [(o) => m.brierScore(p, y, o), { priors: 'balanced' }, 'prior'],
  brierDecomposition: [(o) => m.brierDecomposition(p, y, o), { bining: 'mass' }, 'binning'],
  ksError: [(o) => m.ksError(p, y, o), { sampleweight: [1, 1] }, 'sampleWeight'],
  nll: [(o) => m.nll(p, y, o), { sampleWeights: [1, 1] }, 'sampleWeight'],
  aurc: [(o) => m.aurc(p, y, o), { priorr: 'balanced' }, 'prior'],
  riskCoverage: [(o) => m.riskCoverage(p, y, o), { pror: 'balanced' }, 'prior'],
  overconfidence: [(o) => m.overconfidence(p, y, o), { prior_: 'balanced' }, 'prior'],
  confidenceAuroc: [(o) => m.confidenceAuroc(p, y, o), { priot: 'balanced' }, 'prior'],
  bootstrapInterval: [(o) => m.bootstrapInterval(m.nll, p, y, o), { resample: 10 }, 'resamples'],
};

test.each(Object.entries(calls))('%s refuses an option that it does not know', (name, [call, wrong, right]) => {
  const bad = Object.keys(wrong).at(-1)!;
  expect(() => call(wrong as never)).toThrow(
    new TypeError(`${name}: unknown option '${bad}', did you mean '${right}'?`),
  );
});
