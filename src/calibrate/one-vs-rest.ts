import { checkOptions } from '../check/check.ts';
import { BINS } from '../metrics/bins.ts';
import { byMass } from '../metrics/weights.ts';
import { interpolate, isotonic, type Monotone } from '../stats/isotonic.ts';
import { lbfgs } from '../stats/lbfgs.ts';
import { softplus } from '../stats/softplus.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { expectNumbers, expectState } from '../check/state.ts';
import {
  INPUT,
  calibrationMethod,
  calibrator,
  logitNll,
  meanNll,
  searchUnit,
  type CalibrationData,
  type CalibrationMethod,
  type Calibrator,
  type FittedCalibrator,
  type Logits,
  type ScoreOptions,
} from './calibrator.ts';

/** Platt: sigmoid(a s + b) of the log-odds s. */
export interface PlattMap {
  a: number;
  b: number;
}
/** Beta: sigmoid(a log p - b log(1 - p) + c). */
export interface BetaMap {
  a: number;
  b: number;
  c: number;
}
/** Histogram: bins (edges[i], edges[i + 1]], the first closed, and their values. */
export interface HistogramMap {
  edges: number[];
  values: number[];
}

/** One map a class; the mapped probabilities of a row are divided by their sum, and are uniform where all are 0. */
export type OneVsRestState = { input: 'logits' | 'probabilities'; classes: number } & (
  | { kind: 'platt'; maps: PlattMap[] }
  | { kind: 'beta'; maps: BetaMap[] }
  | { kind: 'isotonic'; maps: Monotone[] }
  | { kind: 'histogram'; maps: HistogramMap[] }
);

/** What the calibrators of one class against the rest fit. */
export type FittedOneVsRest = FittedCalibrator<OneVsRestState>;

/** Options of {@link histogramBinning}. */
export interface HistogramBinningOptions extends ScoreOptions {
  /** Default: 15. */
  numBins?: number;
  /** Bins of equal width, or of equal numbers of rows. Default: 'width'. */
  binning?: 'width' | 'mass';
}

const sigmoid = (s: number): number => (s >= 0 ? 1 / (1 + Math.exp(-s)) : Math.exp(s) / (1 + Math.exp(s)));

/**
 * Platt scaling (Platt 1999), one class against the rest: sigmoid(a s + b) of the log-odds s of the class, fitted to
 * the smoothed targets (n+ + 1) / (n+ + 2) and 1 / (n- + 2), which have a finite optimum on separable data too; n+ and
 * n- are sums of weights. Neither those targets nor the sum over classes that divides each row follow the NLL of the
 * labels, which can come out higher than before.
 */
export function plattScaling(options: ScoreOptions = {}): CalibrationMethod<FittedOneVsRest> {
  checkOptions('plattScaling', options, { input: INPUT });
  const { input = 'logits' } = options;
  return calibrationMethod('plattScaling', input, (of) => platt(of, input));
}

function platt(of: CalibrationData, input: OneVsRestState['input']): FittedOneVsRest {
  const fits = eachClass(of, (odds, hits) => {
    const positives = hits.reduce((sum, hit, r) => sum + hit * of.weight[r]!, 0);
    const [high, low] = [(positives + 1) / (positives + 2), 1 / (of.rows - positives + 2)];
    return logistic(
      [odds],
      hits.map((hit) => (hit ? high : low)),
      of.weight,
    );
  });
  const maps = fits.map(({ x }) => ({ a: x[0]! + 0, b: x[1]! + 0 }));
  return fitted(
    of,
    { kind: 'platt', input, classes: of.classes, maps },
    fits.every(({ converged }) => converged),
  );
}

/**
 * Beta calibration (Kull, Silva Filho and Flach, AISTATS 2017), one class against the rest: sigmoid(a log p - b log(1 -
 * p) + c) with a, b >= 0. A factor that comes out negative is set to 0 and the others are fitted again, as in the
 * authors' code. On data that a map separates there is no optimum: the search ends where the slope is below its
 * tolerance, and `converged` is false.
 */
export function betaCalibration(options: ScoreOptions = {}): CalibrationMethod<FittedOneVsRest> {
  checkOptions('betaCalibration', options, { input: INPUT });
  const { input = 'logits' } = options;
  return calibrationMethod('betaCalibration', input, (of) => beta(of, input));
}

function beta(of: CalibrationData, input: OneVsRestState['input']): FittedOneVsRest {
  let converged = true;
  const maps = eachClass(of, (odds, hits) => {
    const features = [odds.map((s) => -softplus(-s)), odds.map(softplus)];
    let kept = [0, 1];
    let found = logistic(features, hits, of.weight);
    while (found.x.subarray(0, kept.length).some((v) => v < 0)) {
      const worst = found.x.subarray(0, kept.length).indexOf(Math.min(...found.x.subarray(0, kept.length)));
      kept = kept.filter((_, i) => i !== worst);
      found = logistic(
        kept.map((i) => features[i]!),
        hits,
        of.weight,
      );
    }
    converged &&= found.converged;
    const [a = 0, b = 0] = [0, 1].map((i) => (kept.includes(i) ? found.x[kept.indexOf(i)]! : 0));
    return { a: a + 0, b: b + 0, c: found.x[kept.length]! + 0 };
  });
  return fitted(of, { kind: 'beta', input, classes: of.classes, maps }, converged);
}

/** Isotonic regression (Zadrozny and Elkan, KDD 2002), one class against the rest, with lines between the steps. */
export function isotonicRegression(options: ScoreOptions = {}): CalibrationMethod<FittedOneVsRest> {
  checkOptions('isotonicRegression', options, { input: INPUT });
  const { input = 'logits' } = options;
  return calibrationMethod('isotonicRegression', input, (of) => {
    const maps = eachClass(of, (odds, hits) => isotonic(odds.map(sigmoid), hits, of.weight));
    return fitted(of, { kind: 'isotonic', input, classes: of.classes, maps }, true);
  });
}

/**
 * Histogram binning (Zadrozny and Elkan, ICML 2001), one class against the rest: the fraction of the class in the bin.
 * A bin without calibration rows keeps its centre. Bins of equal mass end at quantiles, and equal ends are merged.
 * Probabilities and ends are compared in f32, as in `calibrationError`.
 */
export function histogramBinning(options: HistogramBinningOptions = {}): CalibrationMethod<FittedOneVsRest> {
  checkOptions('histogramBinning', options, { input: INPUT, numBins: BINS.numBins, binning: BINS.binning });
  const { numBins = 15, binning = 'width', input = 'logits' } = options;
  return calibrationMethod('histogramBinning', input, (of) => histogram(of, { numBins, binning, input }));
}

function histogram(
  of: CalibrationData,
  { numBins, binning, input }: Required<HistogramBinningOptions>,
): FittedOneVsRest {
  const maps = eachClass(of, (odds, hits) => {
    const p = odds.map(sigmoid);
    const end =
      binning === 'width'
        ? (i: number) => i / numBins
        : (
            (at) => (i: number) =>
              at((i * of.rows) / numBins)
          )(byMass(p, of.weight));
    const edges = [...new Set([0, ...Array.from({ length: numBins - 1 }, (_, i) => end(i + 1)), 1])];
    const sums = edges.slice(1).map(() => ({ hits: 0, rows: 0 }));
    p.forEach((v, r) => {
      const bin = sums[binAt(edges, v)]!;
      bin.hits += of.weight[r]! * hits[r]!;
      bin.rows += of.weight[r]!;
    });
    return { edges, values: sums.map((bin, i) => (bin.rows ? bin.hits / bin.rows : (edges[i]! + edges[i + 1]!) / 2)) };
  });
  return fitted(of, { kind: 'histogram', input, classes: of.classes, maps }, true);
}

/** The calibrator of a stored state. Throws RangeError on any field that is not what a fit would have stored. */
export function oneVsRest(state: OneVsRestState): Calibrator<OneVsRestState> {
  const { kind, classes } = expectState('loadCalibrator', state as StoredMaps, {
    kind: ['platt', 'beta', 'isotonic', 'histogram'],
    input: ['logits', 'probabilities'],
    classes: 'positive',
    maps: 'list',
  });
  if (state.maps.length !== classes)
    throw new RangeError(`loadCalibrator: maps of ${kind} has ${state.maps.length} entries, expected ${classes}`);
  for (let c = 0; c < classes; c++) expectMap(kind, state.maps[c]!, `loadCalibrator: class ${c} of ${kind}`);
  return calibrator(state, (logits) => mapped(state, logits));
}

type StoredMaps = Pick<OneVsRestState, 'kind' | 'input' | 'classes'> & { maps: object[] };

/**
 * Throws RangeError, naming `where`, unless `map` is one of `kind`: finite numbers, x and edges rising, y and values
 * shares.
 */
function expectMap(kind: OneVsRestState['kind'], map: object, where: string): void {
  if (kind === 'platt') return void expectState(where, map as PlattMap, { a: 'number', b: 'number' });
  if (kind === 'beta')
    return void expectState(where, map as BetaMap, { a: [0, Infinity], b: [0, Infinity], c: 'number' });
  const [at, of] = kind === 'isotonic' ? (['x', 'y'] as const) : (['edges', 'values'] as const);
  const lists = expectState(where, map as Record<string, number[]>, { [at]: 'list', [of]: 'list' }) as Record<
    string,
    number[]
  >;
  const [x, y] = [lists[at]!, lists[of]!];
  const longer = Number(kind === 'histogram');
  expectNumbers(`${where}: ${at}`, x, Math.max(x.length, 1 + longer));
  expectNumbers(`${where}: ${of}`, y, x.length - longer);
  const turn = x.findIndex((v, i) => i > 0 && !(v > x[i - 1]!));
  if (turn >= 0)
    throw new RangeError(`${where}: ${at} is ${x[turn]} at ${turn} after ${x[turn - 1]}, expected rising numbers`);
  const odd = y.findIndex((v) => !(v >= 0 && v <= 1));
  if (odd >= 0) throw new RangeError(`${where}: ${of} is ${y[odd]} at ${odd}, expected numbers in 0..1`);
}

function mapped(state: OneVsRestState, logits: Logits): NdArray<Float64Array> {
  const { rows, classes } = logits;
  const map = (c: number, s: number): number => {
    if (state.kind === 'platt') return sigmoid(state.maps[c]!.a * s + state.maps[c]!.b);
    if (state.kind === 'beta')
      return sigmoid(-state.maps[c]!.a * softplus(-s) + state.maps[c]!.b * softplus(s) + state.maps[c]!.c);
    if (state.kind === 'isotonic') return interpolate(state.maps[c]!, sigmoid(s));
    const { edges, values } = state.maps[c]!;
    return values[binAt(edges, sigmoid(s))]!;
  };
  const out = new Float64Array(rows * classes);
  for (let c = 0; c < classes; c++) logOdds(logits, c).forEach((s, r) => (out[r * classes + c] = map(c, s)));
  for (let r = 0; r < rows; r++) {
    const row = out.subarray(r * classes, (r + 1) * classes);
    const sum = row.reduce((total, v) => total + v, 0);
    row.forEach((v, c) => (row[c] = sum > 0 ? v / sum : 1 / classes));
  }
  return new NdArray(out, [rows, classes]);
}

/** A map for each class, from the log-odds of the class and whether a row is of it. */
function eachClass<T>(of: CalibrationData, fit: (odds: number[], hits: number[]) => T): T[] {
  return Array.from({ length: of.classes }, (_, c) =>
    fit(
      logOdds(of, c),
      Array.from(of.labels, (y) => Number(y === c)),
    ),
  );
}

function fitted(of: CalibrationData, state: OneVsRestState, converged: boolean): FittedOneVsRest {
  return {
    ...oneVsRest(state),
    nllBefore: logitNll(of),
    nllAfter: meanNll(mapped(state, of), of.labels, of.weight),
    converged,
  };
}

/** log p_c - log(1 - p_c) of every row: z_c minus the log-sum-exp of the others. */
function logOdds({ data, rows, classes }: Logits, c: number): number[] {
  return Array.from({ length: rows }, (_, r) => {
    let max = -Infinity;
    for (let j = 0; j < classes; j++) if (j !== c) max = Math.max(max, data[r * classes + j]!);
    let sum = 0;
    for (let j = 0; j < classes; j++) if (j !== c) sum += Math.exp(data[r * classes + j]! - max);
    return data[r * classes + c]! - max - Math.log(sum);
  });
}

/**
 * Logistic regression of targets in [0, 1] on features and a constant, which is the last parameter; not converged where
 * it separates 0 from 1.
 */
function logistic(given: number[][], targets: number[], weight: Float64Array): { x: Float64Array; converged: boolean } {
  const units = given.map(searchUnit);
  const features = given.map((feature, f) => (units[f] === 1 ? feature : feature.map((v) => v / units[f]!)));
  const rows = targets.length;
  const constant = features.length;
  const scoreOf = (x: Float64Array, r: number): number =>
    features.reduce((s, feature, f) => s + x[f]! * feature[r]!, x[constant]!);
  const { x, converged } = lbfgs(
    (x, gradient) => {
      let value = 0;
      for (let r = 0; r < rows; r++) {
        const s = scoreOf(x, r);
        value += (weight[r]! * (softplus(s) - targets[r]! * s)) / rows;
        const g = (weight[r]! * (sigmoid(s) - targets[r]!)) / rows;
        for (let f = 0; f < constant; f++) gradient[f]! += g * features[f]![r]!;
        gradient[constant]! += g;
      }
      return value;
    },
    [...features.map(() => 1), 0],
  );
  const isSeparated = targets.every((t, r) => (t === 1 ? scoreOf(x, r) > 0 : t === 0 && scoreOf(x, r) < 0));
  return { x: x.map((v, f) => v / (units[f] ?? 1)), converged: converged && !isSeparated };
}

/** The bin (edges[i], edges[i + 1]] of p, compared in f32; the first and the last take what lies outside. */
function binAt(edges: readonly number[], p: number): number {
  let i = 0;
  while (i < edges.length - 2 && Math.fround(p) > Math.fround(edges[i + 1]!)) i++;
  return i;
}
