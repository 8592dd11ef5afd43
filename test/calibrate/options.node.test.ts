import { expect, test } from 'vitest';
import * as calibrate from 'evenkeel/calibrate';
import * as sets from 'evenkeel/sets';

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
const c = { ...calibrate, ...sets };
const never = () => Promise.reject(new Error('not asked'));

/** Every function of the folder that takes options, with one that is misspelt, and what is suggested. */
const calls: Record<string, [call: (o: never) => unknown, wrong: object, right: string]> = {
  temperatureScaling: [(o) => c.temperatureScaling(o), { inputs: 'logits' }, 'input'],
  'temperatureScaling.fit': [(o) => c.temperatureScaling().fit(z, y, o), { priors: 'balanced' }, 'prior'],
  vectorScaling: [(o) => c.vectorScaling(o), { maxiterations: 3 }, 'maxIterations'],
  'vectorScaling.fit': [(o) => c.vectorScaling().fit({ logits: never }, y as never, o), { batchsize: 1 }, 'batchSize'],
  matrixScaling: [(o) => c.matrixScaling(o), { lamda: 1 }, 'lambda'],
  'matrixScaling.fit': [(o) => c.matrixScaling().fit(z, y, o), { sampleWeights: [] }, 'sampleWeight'],
  plattScaling: [(o) => c.plattScaling(o), { imput: 'logits' }, 'input'],
  'plattScaling.fit': [(o) => c.plattScaling().fit(z, y, o), { Prior: [1, 1] }, 'prior'],
  betaCalibration: [(o) => c.betaCalibration(o), { inpt: 'logits' }, 'input'],
  isotonicRegression: [(o) => c.isotonicRegression(o), { Input: 'logits' }, 'input'],
  'isotonicRegression.fit': [(o) => c.isotonicRegression().fit(z, y, o), { sample_weight: [] }, 'sampleWeight'],
  histogramBinning: [(o) => c.histogramBinning(o), { numbins: 3 }, 'numBins'],
  estimatePrior: [(o) => c.estimatePrior(p, y, p, o), { methods: 'em' }, 'method'],
  logitAdjustment: [(o) => c.logitAdjustment(o), { classCounts: [1, 2], testprior: [1, 1] }, 'testPrior'],
  conformal: [(o) => c.conformal(o), { alpha: 0.5, perclass: true }, 'perClass'],
  'conformal.fit': [(o) => c.conformal({ alpha: 0.5 }).fit(p, y, o), { prios: 'balanced' }, 'prior'],
  rapsSettings: [(o) => c.rapsSettings(p, y, o), { alpha: 0.5, lambda: [1] }, 'lambdas'],
  topKPredictor: [(o) => c.topKPredictor(o), { k: 1, ties: 'random' }, 'tie'],
  averageK: [(o) => c.averageK(o), { k: 1, sead: 1 }, 'seed'],
  'averageK.fit': [(o) => c.averageK({ k: 1 }).fit(p, y, o), { priors: 'balanced' }, 'prior'],
  ambiguity: [(o) => c.ambiguity(p, o), { kss: [1] }, 'ks'],
  sets: [(o) => c.topKPredictor({ k: 1 }).sets(p, o), { allowempty: false }, 'allowEmpty'],
  setError: [(o) => c.setError(c.topKPredictor({ k: 1 }).sets(p), y, o), { prio: 'balanced' }, 'prior'],
  evaluateSets: [
    (o) => c.evaluateSets(c.topKPredictor({ k: 1 }).sets(p), y, o),
    { numClasses: 2, numclases: 2 },
    'numClasses',
  ],
  errorCurves: [(o) => c.errorCurves(p, y, o), { ks: [1], calibs: p }, 'calib'],
};

test.each(Object.entries(calls))('%s refuses an option that it does not know', (name, [call, wrong, right]) => {
  const bad = Object.keys(wrong).at(-1)!;
  expect(() => call(wrong as never)).toThrow(
    new TypeError(`${name}: unknown option '${bad}', did you mean '${right}'?`),
  );
});

test('the table has every function whose options are an object', () => {
  const without = ['expectedSetError', 'loadCalibrator', 'loadSetPredictor', 'softmaxRows'];
  const names = Object.keys(calls).filter((name) => name !== 'sets' && !name.endsWith('.fit'));
  expect([...names, ...without].sort()).toEqual(Object.keys(c).sort());
});
