import type { Labels, Matrix } from '../metrics/rows.ts';
import { interpolate, isotonic, type Monotone } from '../stats/isotonic.ts';
import { lbfgs } from '../stats/lbfgs.ts';
import { softplus } from '../stats/softplus.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { calibrationData, logitNll, meanNll, toLogits, type Calibrator, type FittedCalibrator, type Logits, type ScoreOptions } from './calibrator.ts';

/** Platt: sigmoid(a s + b) of the log-odds s. */
export interface PlattMap { a: number; b: number }
/** Beta: sigmoid(a log p - b log(1 - p) + c). */
export interface BetaMap { a: number; b: number; c: number }
/** Histogram: bins (edges[i], edges[i + 1]], the first closed, and their values. */
export interface HistogramMap { edges: number[]; values: number[] }

/** One map a class; the mapped probabilities of a row are divided by their sum, and are uniform where all are 0. */
export type OneVsRestState = { input: 'logits' | 'probabilities'; classes: number } & (
  | { kind: 'platt'; maps: PlattMap[] }
  | { kind: 'beta'; maps: BetaMap[] }
  | { kind: 'isotonic'; maps: Monotone[] }
  | { kind: 'histogram'; maps: HistogramMap[] }
);

/** Options of {@link fitHistogram}. */
export interface HistogramOptions extends ScoreOptions {
  /** Default: 15. */
  nBins?: number;
  /** Bins of equal width, or of equal numbers of rows. Default: 'width'. */
  binning?: 'width' | 'mass';
}

const sigmoid = (s: number): number => (s >= 0 ? 1 / (1 + Math.exp(-s)) : Math.exp(s) / (1 + Math.exp(s)));

/**
 * Platt scaling (Platt 1999), one class against the rest: sigmoid(a s + b) of the log-odds s of the class, fitted to the smoothed
 * targets (n+ + 1) / (n+ + 2) and 1 / (n- + 2), which have a finite optimum on separable data too.
 */
export function fitPlatt(scores: Matrix, labels: Labels, { input = 'logits' }: ScoreOptions = {}): FittedCalibrator<OneVsRestState> {
  let converged = true;
  return fitEach('fitPlatt', scores, labels, input, (logits, each) => {
    const maps = each((odds, hits) => {
      const positives = hits.reduce((sum, hit) => sum + hit, 0);
      const [high, low] = [(positives + 1) / (positives + 2), 1 / (hits.length - positives + 2)];
      const found = logistic([odds], hits.map((hit) => (hit ? high : low)));
      converged &&= found.converged;
      return { a: found.x[0]!, b: found.x[1]! };
    });
    return { kind: 'platt', input, classes: logits.classes, maps };
  }, () => converged);
}

/**
 * Beta calibration (Kull, Silva Filho and Flach, AISTATS 2017), one class against the rest: sigmoid(a log p - b log(1 - p) + c)
 * with a, b >= 0. A factor that comes out negative is set to 0 and the others are fitted again, as in the authors' code. On data
 * that a map separates there is no optimum: the search ends where the slope is below its tolerance, and `converged` is false.
 */
export function fitBeta(scores: Matrix, labels: Labels, { input = 'logits' }: ScoreOptions = {}): FittedCalibrator<OneVsRestState> {
  let converged = true;
  return fitEach('fitBeta', scores, labels, input, (logits, each) => {
    const maps = each((odds, hits) => {
      const features = [odds.map((s) => -softplus(-s)), odds.map(softplus)];
      let kept = [0, 1];
      let found = logistic(features, hits);
      while (found.x.subarray(0, kept.length).some((v) => v < 0)) {
        const worst = found.x.subarray(0, kept.length).indexOf(Math.min(...found.x.subarray(0, kept.length)));
        kept = kept.filter((_, i) => i !== worst);
        found = logistic(kept.map((i) => features[i]!), hits);
      }
      converged &&= found.converged;
      const [a = 0, b = 0] = [0, 1].map((i) => (kept.includes(i) ? found.x[kept.indexOf(i)]! : 0));
      return { a, b, c: found.x[kept.length]! };
    });
    return { kind: 'beta', input, classes: logits.classes, maps };
  }, () => converged);
}

/** Isotonic regression (Zadrozny and Elkan, KDD 2002), one class against the rest, with lines between the steps. */
export function fitIsotonic(scores: Matrix, labels: Labels, { input = 'logits' }: ScoreOptions = {}): FittedCalibrator<OneVsRestState> {
  return fitEach('fitIsotonic', scores, labels, input, ({ classes }, each) => ({
    kind: 'isotonic', input, classes, maps: each((odds, hits) => isotonic(odds.map(sigmoid), hits)),
  }));
}

/**
 * Histogram binning (Zadrozny and Elkan, ICML 2001), one class against the rest: the fraction of the class in the bin. A bin
 * without calibration rows keeps its centre. Bins of equal mass end at quantiles, and equal ends are merged.
 */
export function fitHistogram(scores: Matrix, labels: Labels, { input = 'logits', nBins = 15, binning = 'width' }: HistogramOptions = {}): FittedCalibrator<OneVsRestState> {
  if (!(Number.isSafeInteger(nBins) && nBins >= 1)) throw new RangeError(`fitHistogram: nBins is ${nBins}, expected an integer >= 1`);
  if (binning !== 'width' && binning !== 'mass') throw new RangeError(`fitHistogram: binning is ${String(binning)}, expected 'width' or 'mass'`);
  return fitEach('fitHistogram', scores, labels, input, ({ classes }, each) => ({
    kind: 'histogram', input, classes, maps: each((odds, hits) => {
      const p = odds.map(sigmoid);
      const sorted = [...p].sort((x, y) => x - y);
      const inner = Array.from({ length: nBins - 1 }, (_, i) => (binning === 'width' ? (i + 1) / nBins : sorted[Math.ceil(((i + 1) * p.length) / nBins) - 1]!));
      const edges = [...new Set([0, ...inner, 1])];
      const sums = edges.slice(1).map(() => ({ hits: 0, rows: 0 }));
      p.forEach((v, i) => {
        const bin = sums[binAt(edges, v)]!;
        bin.hits += hits[i]!;
        bin.rows++;
      });
      return { edges, values: sums.map((bin, i) => (bin.rows ? bin.hits / bin.rows : (edges[i]! + edges[i + 1]!) / 2)) };
    }),
  }));
}

/** The calibrator of a stored state. */
export function oneVsRest(state: OneVsRestState): Calibrator<OneVsRestState> {
  const { classes, input } = state;
  const map = (c: number, s: number): number => {
    if (state.kind === 'platt') return sigmoid(state.maps[c]!.a * s + state.maps[c]!.b);
    if (state.kind === 'beta') return sigmoid(-state.maps[c]!.a * softplus(-s) + state.maps[c]!.b * softplus(s) + state.maps[c]!.c);
    if (state.kind === 'isotonic') return interpolate(state.maps[c]!, sigmoid(s));
    const { edges, values } = state.maps[c]!;
    return values[binAt(edges, sigmoid(s))]!;
  };
  return {
    state,
    apply(scores) {
      const logits = toLogits(scores, 'apply: scores', input, classes);
      const out = new Float64Array(logits.rows * classes);
      for (let c = 0; c < classes; c++) logOdds(logits, c).forEach((s, r) => (out[r * classes + c] = map(c, s)));
      for (let r = 0; r < logits.rows; r++) {
        const row = out.subarray(r * classes, (r + 1) * classes);
        const sum = row.reduce((total, v) => total + v, 0);
        row.forEach((v, c) => (row[c] = sum > 0 ? v / sum : 1 / classes));
      }
      return new NdArray(out, [logits.rows, classes]);
    },
  };
}

type Each = <T>(fit: (odds: number[], hits: number[]) => T) => T[];

function fitEach(where: string, scores: Matrix, labels: Labels, input: ScoreOptions['input'], fit: (logits: Logits, each: Each) => OneVsRestState, converged = () => true): FittedCalibrator<OneVsRestState> {
  const logits = calibrationData(scores, labels, where, input);
  const { rows, classes } = logits;
  const calibrator = oneVsRest(fit(logits, (one) =>
    Array.from({ length: classes }, (_, c) => one(logOdds(logits, c), Array.from({ length: rows }, (_, r) => Number(labels[r] === c))))));
  return { ...calibrator, nllBefore: logitNll(logits, labels), nllAfter: meanNll(calibrator.apply(scores), labels), converged: converged() };
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

/** Logistic regression of targets in [0, 1] on features and a constant, which is the last parameter; not converged where it separates 0 from 1. */
function logistic(features: number[][], targets: number[]): { x: Float64Array; converged: boolean } {
  const rows = targets.length;
  const constant = features.length;
  const scoreOf = (x: Float64Array, r: number): number => features.reduce((s, feature, f) => s + x[f]! * feature[r]!, x[constant]!);
  const { x, converged } = lbfgs((x, gradient) => {
    let value = 0;
    for (let r = 0; r < rows; r++) {
      const s = scoreOf(x, r);
      value += (softplus(s) - targets[r]! * s) / rows;
      const g = (sigmoid(s) - targets[r]!) / rows;
      for (let f = 0; f < constant; f++) gradient[f]! += g * features[f]![r]!;
      gradient[constant]! += g;
    }
    return value;
  }, [...features.map(() => 1), 0]);
  const isSeparated = targets.every((t, r) => (t === 1 ? scoreOf(x, r) > 0 : t === 0 && scoreOf(x, r) < 0));
  return { x, converged: converged && !isSeparated };
}

/** The bin (edges[i], edges[i + 1]] of p; the first and the last take what lies outside. */
function binAt(edges: readonly number[], p: number): number {
  let i = 0;
  while (i < edges.length - 2 && p > edges[i + 1]!) i++;
  return i;
}
