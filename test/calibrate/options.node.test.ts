import { expect, test } from 'vitest';
import * as calibrate from 'evenkeel/calibrate';

const z = [
  [2, 0],
  [0, 1],
  [1, 3],
  [1, 0],
];
const p = [
  [0.9, 0.1],
  [0.2, 0.8],
  [0.3, 0.7],
  [0.6, 0.4],
];
const y = [0, 1, 0, 1];
const c = calibrate;

/** Every function of the folder that takes options, with one that is misspelt, and what is suggested. */
const calls: Record<string, [call: (o: never) => unknown, wrong: object, right: string]> = {
  fitTemperature: [(o) => c.fitTemperature(z, y, o), { priors: 'balanced' }, 'prior'],
  temperatureScaling: [(o) => c.temperatureScaling(o), { sampleWeights: [] }, 'sampleWeight'],
  temperatureCalibrator: [(o) => c.temperatureCalibrator(z, y, o), { inputs: 'logits' }, 'input'],
  fitVector: [(o) => c.fitVector(z, y, o), { maxiterations: 3 }, 'maxIterations'],
  fitMatrix: [(o) => c.fitMatrix(z, y, o), { lamda: 1 }, 'lambda'],
  fitPlatt: [(o) => c.fitPlatt(z, y, o), { Prior: [1, 1] }, 'prior'],
  fitBeta: [(o) => c.fitBeta(z, y, o), { inpt: 'logits' }, 'input'],
  fitIsotonic: [(o) => c.fitIsotonic(z, y, o), { sample_weight: [] }, 'sampleWeight'],
  fitHistogram: [(o) => c.fitHistogram(z, y, o), { nbins: 3 }, 'nBins'],
  estimatePrior: [(o) => c.estimatePrior(p, y, p, o), { methods: 'em' }, 'method'],
  logitAdjustment: [(o) => c.logitAdjustment(o), { clsNumList: [1, 2], testprior: [1, 1] }, 'testPrior'],
  conformal: [(o) => c.conformal(p, y, o), { alpha: 0.5, perclass: true }, 'perClass'],
  rapsSettings: [(o) => c.rapsSettings(p, y, o), { alpha: 0.5, lambda: [1] }, 'lambdas'],
  topK: [(o) => c.topK(1, o), { ties: 'random' }, 'tie'],
  averageK: [(o) => c.averageK(p, 1, o), { sead: 1 }, 'seed'],
  predict: [(o) => c.topK(1).predict(p, o), { allowempty: false }, 'allowEmpty'],
  setError: [(o) => c.setError(c.topK(1).predict(p), y, o), { prio: 'balanced' }, 'prior'],
  evaluateSets: [(o) => c.evaluateSets(c.topK(1).predict(p), y, o), { classes: 2, clases: 2 }, 'classes'],
  errorCurves: [(o) => c.errorCurves(p, y, o), { ks: [1], calibs: p }, 'calib'],
};

test.each(Object.entries(calls))('%s refuses an option that it does not know', (name, [call, wrong, right]) => {
  const bad = Object.keys(wrong).at(-1)!;
  expect(() => call(wrong as never)).toThrow(
    new TypeError(`${name}: unknown option '${bad}', did you mean '${right}'?`),
  );
});

test('on the device too', async () => {
  await expect(calibrate.averageKOnDevice({} as never, 1, { labels: y } as never)).rejects.toThrow(
    "averageKOnDevice: unknown option 'labels'",
  );
});

test('the table has every function whose options are an object', () => {
  const without = [
    'affine',
    'ambiguity',
    'averageKOnDevice',
    'calibrated',
    'expectedSetError',
    'loadCalibrator',
    'loadSetPredictor',
    'softmaxRows',
  ];
  expect([...Object.keys(calls).filter((name) => name !== 'predict'), ...without].sort()).toEqual(
    Object.keys(calibrate).sort(),
  );
});
