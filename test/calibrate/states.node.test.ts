import { describe, expect, test } from 'vitest';
import {
  betaCalibration,
  histogramBinning,
  isotonicRegression,
  matrixScaling,
  plattScaling,
  vectorScaling,
  loadCalibrator,
  logitAdjustment,
  softmaxRows,
  temperatureScaling,
  type CalibratorState,
} from 'evenkeel/calibrate';
import { averageK, conformal, loadSetPredictor, topKPredictor, type SetPredictorState } from 'evenkeel/sets';
import { testRandom } from '../support/fuzz.ts';

const random = testRandom(3);
const logits = Array.from({ length: 80 }, () => Array.from({ length: 3 }, () => (random(801) - 400) / 100));
const labels = logits.map((row, r) => (r % 3 ? row.indexOf(Math.max(...row)) : random(3)));
const probs = softmaxRows(logits);
const tail = labels.map((y) => (y === 2 ? 1 : y));
const rows = Array.from({ length: 80 }, (_, r) => Array.from(probs.at(r).data));

const calibrators: Record<string, CalibratorState> = {
  temperature: temperatureScaling().fit(logits, labels).state,
  vector: vectorScaling().fit(logits, labels).state,
  matrix: matrixScaling().fit(logits, labels, { prior: 'balanced' }).state,
  platt: plattScaling().fit(logits, labels).state,
  beta: betaCalibration().fit(logits, labels).state,
  isotonic: isotonicRegression({ input: 'probabilities' }).fit(rows, labels).state,
  histogram: histogramBinning({ numBins: 4, binning: 'mass' }).fit(logits, labels).state,
  'logit adjustment': logitAdjustment({ classCounts: [8, 4, 1] }).state,
  'no adjustment': logitAdjustment({ classCounts: [8, 4, 1], tau: -0 }).state,
};
const sets: Record<string, SetPredictorState> = {
  topK: topKPredictor({ k: 2, tie: 'random', seed: 5 }).state,
  averageK: averageK({ k: 1.3, tie: 'random' }).fit(rows).state,
  'averageK of nothing': averageK({ k: 0.001 }).fit(rows).state,
  'averageK of all': averageK({ k: 3, input: 'scores' }).fit(logits).state,
  'averageK at -0': averageK({ k: 1, input: 'scores' }).fit([
    [-0, -0],
    [-0, -0],
  ]).state,
  conformal: conformal({ alpha: 0.1 }).fit(rows, labels).state,
  'conformal by class': conformal({ alpha: 0.1, score: 'raps', lambda: -0, kReg: 1, perClass: true }).fit(rows, labels)
    .state,
  'conformal with a class that has no rows': conformal({ alpha: 0.1, score: 'saps', lambda: 0.2, perClass: true }).fit(
    rows,
    tail,
  ).state,
};

/** Bytes of the numbers of a state, in order: bit-equality. */
const bits = (value: unknown): unknown =>
  typeof value === 'number'
    ? new BigUint64Array(Float64Array.of(value).buffer)[0]
    : typeof value === 'object' && value !== null
      ? Object.entries(value).map(([k, v]) => [k, bits(v)])
      : value;

/** Every place in a state, as a path. */
function places(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (Array.isArray(value)) return [path, ...value.slice(0, 3).flatMap((v, i) => places(v, [...path, i]))];
  if (typeof value === 'object' && value !== null)
    return [...(path.length ? [path] : []), ...Object.entries(value).flatMap(([k, v]) => places(v, [...path, k]))];
  return [path];
}

function changed(state: unknown, path: (string | number)[], to: unknown): unknown {
  const copy = structuredClone(state) as Record<string | number, unknown>;
  let at = copy;
  for (const step of path.slice(0, -1)) at = at[step] as typeof copy;
  if (to === DELETED) delete at[path.at(-1)!];
  else at[path.at(-1)!] = to;
  return copy;
}

const DELETED = Symbol('deleted');
const never = [DELETED, null, NaN, Infinity, -Infinity, 'x', '1', {}, [null], 1n];

const loaders: [string, object, (state: never) => { state: object }][] = [
  ...Object.entries(calibrators).map(([name, state]): (typeof loaders)[0] => [name, state, loadCalibrator]),
  ...Object.entries(sets).map(([name, state]): (typeof loaders)[0] => [name, state, loadSetPredictor]),
];

describe.each(loaders)('the state of %s', (_name, state, load) => {
  test('goes through JSON and comes back bit-equal', () => {
    const back = JSON.parse(JSON.stringify(state)) as never;
    expect(bits(back)).toEqual(bits(state));
    expect(bits(load(back).state)).toEqual(bits(state));
  });
  test.each(places(state).map((path) => [path.join('.'), path] as const))(
    '%s is refused when it is not what it must be',
    (_place, path) => {
      for (const value of never)
        expect(() => load(changed(state, path, value) as never), String(value as string)).toThrow(RangeError);
      if (typeof path.reduce((at, step) => (at as Record<string, unknown>)[step], state as unknown) === 'number')
        return;
      for (const value of [-1, 0.5, 7, true]) {
        const isFlag = path[0] === 'randomized' && value === true;
        if (!isFlag) expect(() => load(changed(state, path, value) as never), String(value)).toThrow(RangeError);
      }
    },
  );
  test('an unknown field is refused, and what is no object', () => {
    expect(() => load({ ...state, extra: 1 } as never)).toThrow(': extra is no field of a state');
    for (const value of [null, undefined, 3, 'x', []]) expect(() => load(value as never)).toThrow(RangeError);
  });
});

test.each<[string, CalibratorState | SetPredictorState, (string | number)[], unknown]>([
  ['classes', calibrators.vector!, ['classes'], 4],
  ['classes', calibrators.platt!, ['classes'], 2],
  ['factors', calibrators.beta!, ['maps', 0, 'a'], -1],
  ['order', calibrators.isotonic!, ['maps', 1, 'x', 1], -5],
  ['shares', calibrators.isotonic!, ['maps', 1, 'y', 0], 2],
  ['edges', calibrators.histogram!, ['maps', 0, 'edges', 1], 0],
  ['shares', calibrators.histogram!, ['maps', 0, 'values', 0], -0.1],
  ['k', sets.topK!, ['k'], 0],
  ['k', sets.averageK!, ['k'], 4],
  ['seed', sets.topK!, ['seed'], -1],
  ['tieShare', sets.averageK!, ['tieShare'], 1.5],
  ['alpha', sets.conformal!, ['alpha'], 1],
  ['alpha', sets.conformal!, ['alpha'], 0],
  ['lambda', sets.conformal!, ['lambda'], -1],
  ['lambda', sets['conformal with a class that has no rows']!, ['lambda'], 0],
  ['classes', sets['conformal by class']!, ['classes'], 4],
])('%s of a state outside its range is refused: %#', (_name, state, path, value) => {
  const load = state.kind in { topK: 1, averageK: 1, conformal: 1 } ? loadSetPredictor : loadCalibrator;
  expect(() => load(changed(state, path, value) as never)).toThrow(RangeError);
});
