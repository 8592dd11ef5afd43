// What the methods for label noise, calibration and ambiguity say to bad input, case by case over every method that it
// concerns.
import { describe, expect, test } from 'vitest';
import { NdArray, scope, tensor, type Tensor } from 'evenkeel';
import {
  betaCalibration,
  histogramBinning,
  isotonicRegression,
  matrixScaling,
  plattScaling,
  temperatureScaling,
  vectorScaling,
  loadCalibrator,
} from 'evenkeel/calibrate';
import {
  ambiguity,
  averageK,
  conformal,
  errorCurves,
  evaluateSets,
  expectedSetError,
  loadSetPredictor,
  rapsSettings,
  topKPredictor,
  type ConformalScore,
} from 'evenkeel/sets';
import { makeDataset } from 'evenkeel/data';
import {
  alphaInflection,
  alphaLoss,
  alphaMarginLoss,
  alphaMinimalRisk,
  alphaMinimiser,
  alphaSchedule,
  cals,
  clipLogits,
  crossEntropyLoss,
  gaussianAlphaRisk,
  logitClip,
  logitClipBounds,
  logitNorm,
  mbls,
  phuberCE,
  phuberGCE,
  twoHead,
  untilt,
} from 'evenkeel/losses';
import {
  aurc,
  brierDecomposition,
  brierScore,
  calibrationError,
  classwiseCalibrationError,
  ksError,
  nll,
  perClassCalibrationError,
  reliabilityDiagram,
  riskCoverage,
  type Labels,
  type Matrix,
} from 'evenkeel/metrics';
import { calibrators } from '../support/calibrators.ts';

const one = (): Tensor => tensor([1, 2], { shape: [1, 2] });

describe('alpha <= 0', () => {
  const allowed = 'expected a number > 0 or Infinity';
  const { loss, tilt } = {
    loss: (alpha: number) => alphaLoss({ alpha }),
    tilt: (alpha: number) => scope(() => void untilt(one(), alpha)),
  };
  const methods: [string, (alpha: number) => unknown, string?][] = [
    ['alphaLoss', loss],
    ['alphaSchedule', (from) => alphaSchedule({ from, to: 2 })],
    ['alphaSchedule', (to) => alphaSchedule({ from: 2, to })],
    ['alphaMarginLoss', (alpha) => alphaMarginLoss(0, alpha)],
    ['alphaInflection', alphaInflection],
    ['alphaMinimiser', (alpha) => alphaMinimiser(0.3, alpha)],
    ['alphaMinimalRisk', (alpha) => alphaMinimalRisk([0.3, 0.7], alpha)],
    [
      'alphaMarginLoss',
      (alpha) =>
        gaussianAlphaRisk(
          [1, 0],
          [
            {
              weight: 1,
              mean: [0, 0],
              covariance: [
                [1, 0],
                [0, 1],
              ],
              label: 1,
            },
          ],
          alpha,
        ),
    ],
    ['untilt', tilt, 'expected a finite number > 0'],
  ];
  test.each(methods)('%s', (name, call, want = allowed) => {
    for (const alpha of [0, -1, NaN]) expect(() => call(alpha)).toThrow(`${name}: alpha is ${alpha}, ${want}`);
  });
  test('a refused alpha leaves the loss as it was', async () => {
    const made = alphaLoss({ alpha: 2 });
    const value = async (): Promise<number> => {
      using v = scope(() => made(one(), [0]));
      return v.item();
    };
    const before = await value();
    expect(() => made.setAlpha(-3)).toThrow(`alphaLoss: alpha is -3, ${allowed}`);
    expect(await value()).toBe(before);
    made.dispose();
  });
});

describe('tau <= 0, norm order < 1', () => {
  test.each<[string, (tau: number) => unknown, string]>([
    ['logitClip', (tau) => logitClip(crossEntropyLoss(), { tau }), 'expected a number > 0 or Infinity'],
    ['logitClip', (tau) => logitClip(crossEntropyLoss(), { tau: 2 }).setTau(tau), 'expected a number > 0 or Infinity'],
    ['clipLogits', (tau) => scope(() => void clipLogits(one(), tau)), 'expected a number > 0 or Infinity'],
    ['logitNorm', (tau) => logitNorm(crossEntropyLoss(), { tau }), 'expected a finite number > 0'],
    ['logitClipBounds', (tau) => logitClipBounds({ tau, numClasses: 3 }), 'expected a finite number > 0'],
    ['phuberCE', (tau) => phuberCE({ tau }), 'expected a finite number > 1'],
    ['phuberGCE', (tau) => phuberGCE({ tau }), 'expected a finite number > 1'],
  ])('%s', (name, call, want) => {
    for (const tau of [0, -1, NaN]) expect(() => call(tau)).toThrow(`${name}: tau is ${tau}, ${want}`);
  });
  test.each<[string, (p: number) => unknown]>([
    ['logitClip', (p) => logitClip(crossEntropyLoss(), { p })],
    ['clipLogits', (p) => scope(() => void clipLogits(one(), 1, { p }))],
    ['logitClipBounds', (p) => logitClipBounds({ tau: 1, p, numClasses: 3 })],
  ])('norm of %s', (name, call) => {
    for (const p of [0.99, 0, -2, NaN])
      expect(() => call(p)).toThrow(`${name}: p is ${p}, expected a number >= 1 or Infinity`);
  });
  test('margins', () => {
    for (const margin of [-1, NaN, Infinity])
      expect(() => mbls({ margin })).toThrow(`mbls: margin is ${margin}, expected a finite number >= 0`);
    for (const margin of [0, -1, NaN])
      expect(() => cals({ numClasses: 3, margin })).toThrow(`cals: margin is ${margin}, expected a finite number > 0`);
  });
});

const p3 = [
  [0.5, 0.3, 0.2],
  [0.8, 0.2, 0],
  [0.1, 0.1, 0.8],
];
const y3 = [0, 0, 2];

describe('K outside [1, classes]', () => {
  test('average-k takes real k up to the number of classes; 0 < k < 1 leaves sets empty by rule', async () => {
    using device = tensor(p3.flat(), { shape: [3, 3] });
    for (const k of [0, -1, 3.01, 4, NaN, Infinity]) {
      const message = `averageK: k is ${k}, expected 0 < k <= 3`;
      expect(() => averageK({ k }).fit(p3)).toThrow(message);
      expect(() => errorCurves(p3, y3, { ks: [k] })).toThrow(message);
      await expect(averageK({ k }).fit(device)).rejects.toThrow(message);
      expect(() => twoHead({ numClasses: 3, k })).toThrow(`twoHead: k is ${k}, expected 0 < k <= 3`);
    }
    const p = [
      [0.5, 0.5],
      [0.9, 0.1],
    ];
    expect(averageK({ k: 0.5 }).fit(p).sets(p).sets).toEqual([[], [0]]);
  });
  test('top-k and the ambiguity curve take integers', () => {
    for (const k of [0, -1, 1.5, NaN])
      expect(() => topKPredictor({ k })).toThrow(`topKPredictor: k is ${k}, expected a positive integer`);
    expect(() => topKPredictor({ k: 4 }).sets(p3)).toThrow(
      'topKPredictor: k is 4, expected at most 3, the number of classes',
    );
    for (const k of [0, 1.5, 3])
      expect(() => ambiguity(p3, { ks: [k] })).toThrow(`ambiguity: ks[0] is ${k}, expected an integer in 1..2`);
  });
  test('sets and states that do not fit', () => {
    expect(() =>
      averageK({ k: 2 })
        .fit(p3)
        .sets([[0.5, 0.5]]),
    ).toThrow('averageK: probs have 2 classes, expected 3');
    expect(() => errorCurves([[0.5, 0.5]], [0], { ks: [1], calib: p3 })).toThrow(
      'averageK: probs have 2 classes, expected 3',
    );
    expect(() => evaluateSets({ sets: [[3]], meanSize: 1 }, [0], { numClasses: 3 })).toThrow(
      'evaluateSets: set 0 has the class 3, expected one in 0..2',
    );
    expect(() => expectedSetError({ sets: [[-1]], meanSize: 1 }, [[0.5, 0.5]])).toThrow(
      'expectedSetError: set 0 has the class -1, expected one in 0..1',
    );
    const state = averageK({ k: 2 }).fit(p3).state;
    expect(() => loadSetPredictor({ ...state, tieShare: 2 })).toThrow(
      'averageK: tieShare is 2, expected a number in 0..1',
    );
    expect(() => loadSetPredictor({ ...state, threshold: NaN })).toThrow(
      'averageK: threshold is NaN, expected a finite number',
    );
    expect(() => loadSetPredictor({ ...conformal({ alpha: 0.5 }).fit(p3, y3).state, quantiles: [NaN] })).toThrow(
      'conformal: quantiles[0] is NaN, expected a finite number',
    );
  });
});

describe('probabilities that are none', () => {
  const first = (p: Matrix): Matrix => p;
  const methods: [string, (p: Matrix, y: Labels) => unknown][] = [
    ['calibrationError: probs', calibrationError],
    ['classwiseCalibrationError: probs', classwiseCalibrationError],
    ['perClassCalibrationError: probs', perClassCalibrationError],
    ['reliabilityDiagram: probs', reliabilityDiagram],
    ['brierScore: probs', brierScore],
    ['brierDecomposition: probs', brierDecomposition],
    ['nll: probs', nll],
    ['ksError: probs', ksError],
    ['aurc: probs', aurc],
    ['riskCoverage: probs', riskCoverage],
    ['averageK: probs', (p) => averageK({ k: 1 }).fit(p)],
    [
      'averageK: probs',
      (p) =>
        averageK({ k: 1 })
          .fit([[0.5, 0.5]])
          .sets(p),
    ],
    ['topKPredictor: probs', (p) => topKPredictor({ k: 1 }).sets(p)],
    ['ambiguity: probs', (p) => ambiguity(p)],
    ['errorCurves: probs', (p, y) => errorCurves(p, y, { ks: [1] })],
    ['expectedSetError: probs', (p) => expectedSetError({ sets: [[0]], meanSize: 1 }, first(p))],
    ['conformal: probs', (p, y) => conformal({ alpha: 0.5 }).fit(p, y)],
    ['rapsSettings: probs', (p, y) => rapsSettings(p, y, { alpha: 0.5 })],
    ...(
      [
        ['temperatureScaling', temperatureScaling],
        ['vectorScaling', vectorScaling],
        ['matrixScaling', matrixScaling],
        ['plattScaling', plattScaling],
        ['betaCalibration', betaCalibration],
        ['isotonicRegression', isotonicRegression],
        ['histogramBinning', histogramBinning],
      ] as const
    ).map(([name, method]): [string, (p: Matrix, y: Labels) => unknown] => [
      `${name}: scores`,
      (p, y) => method({ input: 'probabilities' }).fit(p, y),
    ]),
  ];
  test.each(methods)('%s', (what, call) => {
    // Logits, also those that look like probabilities, one or the other way.
    expect(() => call([[3, -1]], [0])).toThrow(
      `${what} is 3 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)`,
    );
    expect(() => call([[1.5, -0.5]], [0])).toThrow(
      `${what} is 1.5 at row 0, class 0, expected probabilities in 0..1 (apply softmax to logits first)`,
    );
    expect(() => call([[0.25, 0.5]], [0])).toThrow(
      `${what} sum to 0.75 in row 0, expected 1 (apply softmax to logits first)`,
    );
    expect(() => call([[0, 0]], [0])).toThrow(`${what} sum to 0 in row 0, expected 1 (apply softmax to logits first)`);
    expect(() => call([[NaN, 1]], [0])).toThrow(`${what} is NaN at row 0, class 0`);
    expect(() => call([], [])).toThrow(/has shape \[0,0\], expected at least one row and one class$/);
    expect(() => call([[0.5, 0.5], [1]], [0, 0])).toThrow(`${what} row 1 has 1 entries, expected 2 as in row 0`);
  });
  test('on the device', async () => {
    for (const [row, sums] of [
      [[3, -1], '2..2'],
      [[0.25, 0.5], '0.75..0.75'],
    ] as const) {
      using t = tensor(row, { shape: [1, 2] });
      await expect(averageK({ k: 1 }).fit(t)).rejects.toThrow(
        new RegExp(
          `^averageK: probs lie in .* with row sums in ${sums}, expected probabilities \\(apply softmax to ` +
            `logits first\\)$`,
        ),
      );
    }
  });
  test('of the theory of the alpha-loss', () =>
    expect(() => alphaMinimalRisk([0.3, 0.3], 2)).toThrow(
      'alphaMinimalRisk: probabilities are [0.3,0.3], expected numbers >= 0 that sum to 1',
    ));
});

describe('a calibration split too small for the level', () => {
  const rows = (n: number): { p: number[][]; y: number[] } => ({
    p: Array.from({ length: n }, (_, i) => (i % 2 ? [0.7, 0.3] : [0.2, 0.8])),
    y: Array.from({ length: n }, (_, i) => i % 2),
  });
  test.each<ConformalScore>(['lac', 'aps', 'raps', 'saps'])(
    'conformal, %s: 1 / alpha - 1 rows are needed, and are enough',
    (score) => {
      for (const [alpha, least] of [
        [0.1, 9],
        [0.05, 19],
        [0.5, 1],
        [0.3, 3],
      ] as const) {
        const options = { alpha, score, lambda: 0.1, kReg: 1 };
        const [few, enough] = [rows(least - 1), rows(least)];
        if (least > 1)
          expect(() => conformal(options).fit(few.p, few.y)).toThrow(
            `conformal: got ${least - 1} calibration rows, too few for alpha ${alpha}, expected at least ${least}`,
          );
        expect(conformal(options).fit(enough.p, enough.y).state.quantiles.every(Number.isFinite)).toBe(true);
        const { p, y } = rows(2 * least - 1);
        // A class of its own with too few rows is in every set.
        if (least > 1)
          expect(
            conformal({ ...options, perClass: true })
              .fit(p, y)
              .quantiles.map(Number.isFinite),
          ).toEqual([true, false]);
      }
    },
  );
  test('rapsSettings, and levels outside (0, 1)', () => {
    const { p, y } = rows(8);
    expect(() => rapsSettings(p, y, { alpha: 0.1 })).toThrow(
      'rapsSettings: got 8 calibration rows, too few for alpha 0.1, expected at least 9',
    );
    for (const alpha of [0, 1, -1, NaN]) {
      expect(() => conformal({ alpha }).fit(p, y)).toThrow(`conformal: alpha is ${alpha}, expected 0 < alpha < 1`);
      expect(() => rapsSettings(p, y, { alpha })).toThrow(`rapsSettings: alpha is ${alpha}, expected 0 < alpha < 1`);
    }
  });
  test('no rows at all', async () => {
    for (const [name, method] of Object.entries(calibrators)) {
      expect(() => method().fit([], []), name).toThrow(/has shape \[0,0\], expected at least one row and one class$/);
    }
    const model = { logits: () => Promise.reject(new Error('not asked')) };
    const nothing = { ...makeDataset(new NdArray(new Float32Array(2), [1, 2]), [0]), y: new Int32Array(0) };
    await expect(temperatureScaling().fit(model, nothing)).rejects.toThrow(
      'temperatureScaling: the calibration set is empty, expected at least one sample',
    );
    await expect(vectorScaling().fit(model, nothing)).rejects.toThrow(
      'vectorScaling: the calibration set is empty, expected at least one sample',
    );
  });
});

describe('empty bins', () => {
  const [p, y] = [
    [
      [0.9, 0.1],
      [0.95, 0.05],
    ],
    [0, 1],
  ];
  test('are left out of every error, and say so in the diagram', () => {
    expect(
      reliabilityDiagram(p, y, { numBins: 4 }).map(({ count, confidence, accuracy }) => [count, confidence, accuracy]),
    ).toEqual([
      [0, NaN, NaN],
      [0, NaN, NaN],
      [0, NaN, NaN],
      [2, 0.925, 0.5],
    ]);
    for (const norm of ['l1', 'l2', 'max', 'mean'] as const)
      expect(calibrationError(p, y, { numBins: 4, norm })).toBeCloseTo(0.425, 12);
    expect(classwiseCalibrationError(p, y, { numBins: 4 })).toBeCloseTo(0.425, 12);
    expect(Object.values(brierDecomposition(p, y, { numBins: 4 })).every(Number.isFinite)).toBe(true);
  });
  test('bins of equal mass are merged instead: none is empty', () => {
    expect(reliabilityDiagram(p, y, { numBins: 9, binning: 'mass' }).map(({ count }) => count)).toEqual([1, 1]);
  });
  test('of a histogram calibrator keep their centre', () => {
    const { state, probabilities } = histogramBinning({ input: 'probabilities', numBins: 4 }).fit(p, y);
    expect(state.kind === 'histogram' && state.maps[0]!.values).toEqual([0.125, 0.375, 0.625, 0.5]);
    expect(Array.from(probabilities([[0.3, 0.7]]).data)).toEqual([0.375, 0.625].map((v) => expect.closeTo(v, 12)));
  });
  test('no bins', () => {
    for (const numBins of [0, -1, 1.5, NaN]) {
      for (const [name, call] of Object.entries({
        calibrationError,
        classwiseCalibrationError,
        perClassCalibrationError,
        reliabilityDiagram,
        brierDecomposition,
      }))
        expect(() => call(p, y, { numBins: numBins })).toThrow(
          `${name}: numBins is ${numBins}, expected a positive integer`,
        );
      expect(() => histogramBinning({ numBins: numBins }).fit(p, y)).toThrow(
        `histogramBinning: numBins is ${numBins}, expected a positive integer`,
      );
    }
  });
});

test('stored calibrators that are broken', () => {
  const maps = [
    { a: 1, b: 0 },
    { a: 1, b: 0 },
  ];
  const state = { kind: 'platt', input: 'logits', classes: 2, maps } as const;
  expect(() => loadCalibrator({ ...state, maps: [{ a: NaN, b: 0 }, maps[1]!] })).toThrow(
    'loadCalibrator: class 0 of platt: a is NaN, expected a finite number',
  );
  expect(() => loadCalibrator({ ...state, maps: [maps[0]!] })).toThrow(
    'loadCalibrator: maps of platt has 1 entries, expected 2',
  );
  expect(() =>
    loadCalibrator({ kind: 'histogram', input: 'logits', classes: 1, maps: [{ edges: [0, 1], values: [] }] }),
  ).toThrow('loadCalibrator: class 0 of histogram: ');
  expect(() =>
    loadCalibrator({ kind: 'isotonic', input: 'logits', classes: 1, maps: [{ x: [0, 1], y: [0] }] }),
  ).toThrow('loadCalibrator: class 0 of isotonic: ');
  expect(() =>
    loadCalibrator({ kind: 'temperature', input: 'logits', classes: 1, weight: [Infinity], bias: [0] }),
  ).toThrow('Infinity at 0, expected finite numbers');
});
