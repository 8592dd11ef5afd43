import { check, positive } from '../check/check.ts';
import { toFiniteRows, type Labels, type Matrix, type Rows } from '../metrics/matrix.ts';
import { NdArray } from '../tensor/ndarray.ts';

/** What {@link temperatureOf} finds. */
export interface TemperatureFit {
  /** Divide logits by it. 1 when no temperature that was looked at lowers the NLL. */
  temperature: number;
  /** Mean negative log-likelihood at temperature 1. */
  nllBefore: number;
  /** Mean negative log-likelihood at `temperature`; never above `nllBefore`. */
  nllAfter: number;
  /**
   * False where no finite temperature above 0 is best: on separable data, where every label has the largest logit and
   * the NLL falls for ever as T falls, and on logits no better than chance, where it falls as T grows. The end of the
   * search is then returned.
   */
  converged: boolean;
}

/** Where no temperature is best, T ends at the largest gap between logits of a row, divided by this or times this. */
const REACH = 20;

/**
 * The T that minimises the mean NLL of softmax(logits / T), of checked logits (rows, classes), labels and weights of
 * mean 1. In beta = 1 / T the NLL is convex, with derivative mean(E_p[z] - z_y) and second derivative mean(Var_p[z]).
 * Whether it has a minimum is known from its slopes at 0 and infinity; where it has one, beta is doubled or halved
 * until the slope changes its sign, and Newton's method inside that bracket finds the root to 1e-14, at any scale of
 * the logits. (LBFGS in the usual code can stop early, explode or turn negative.)
 */
export function temperatureOf(
  { data, rows, classes }: Omit<Rows, 'what'>,
  labels: Labels,
  weight: Float64Array,
): TemperatureFit {
  const { gaps, scale } = gapsOf(data, rows, classes);
  const at = (beta: number): Likelihood => likelihood(gaps, rows, classes, labels, weight, beta);
  const before = at(scale);
  const none = { temperature: 1, nllBefore: before.nll, nllAfter: before.nll };
  // All-equal logits are flat: every temperature is an optimum, and 1 is kept.
  if (scale === 0) return { ...none, converged: true };
  const isSeparable = weight.every((w, r) => w === 0 || gaps[r * classes + labels[r]!]! === 0);
  // At beta = 0 the slope is a mean of numbers up to 1: below this it is rounding.
  const isChance = !isSeparable && at(0).slope >= -1e-15;
  const beta = isSeparable ? REACH : isChance ? 1 / REACH : root(at, scale);
  const after = at(beta);
  const found = { converged: !isSeparable && !isChance };
  return after.nll < before.nll
    ? {
        temperature: Math.max(2 ** -1022, Math.min(scale / beta, Number.MAX_VALUE)),
        nllBefore: before.nll,
        nllAfter: after.nll,
        ...found,
      }
    : { ...none, ...found };
}

/**
 * softmax(logits / temperature) of every row, in float64 with the maximum subtracted. logits: (rows, classes).
 * Default temperature 1. Throws RangeError on logits that are not finite and unless temperature is positive and finite.
 */
export function softmaxRows(logits: Matrix, temperature = 1): NdArray<Float64Array> {
  check('softmaxRows', { temperature }, positive);
  const { data, rows, classes } = toFiniteRows(logits, 'softmaxRows: logits');
  const out = new Float64Array(rows * classes);
  for (let r = 0; r < rows; r++) {
    const first = r * classes;
    let max = -Infinity;
    for (let c = 0; c < classes; c++) max = Math.max(max, data[first + c]!);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += out[first + c] = Math.exp((data[first + c]! - max) / temperature);
    for (let c = 0; c < classes; c++) out[first + c]! /= sum;
  }
  return new NdArray(out, [rows, classes]);
}

interface Likelihood {
  nll: number;
  slope: number;
  curvature: number;
}

/** Zero of the slope, which is negative at 0 and positive at infinity; `start` is where T is 1. */
function root(at: (beta: number) => Likelihood, start: number): number {
  let [low, high] = [start, start];
  while (at(low).slope >= 0 && low > 0) low /= 2;
  while (at(high).slope <= 0 && high < Number.MAX_VALUE / 2) high *= 2;
  if (at(start).slope === 0) return start;
  let beta = at(start).slope < 0 ? high / 2 : 2 * low;
  for (let i = 0; i < 100; i++) {
    const { slope, curvature } = at(beta);
    if (slope === 0) break;
    if (slope < 0) low = beta;
    else high = beta;
    const newton = beta - slope / curvature;
    const next = newton > low && newton < high ? newton : 0.5 * (low + high);
    const done = Math.abs(next - beta) <= 1e-14 * beta;
    beta = next;
    if (done) break;
  }
  return beta;
}

/** Every logit less the largest of its row, in units of the largest such gap: numbers in -1..0. */
function gapsOf(data: ArrayLike<number>, rows: number, classes: number): { gaps: Float64Array; scale: number } {
  const gaps = new Float64Array(rows * classes);
  let scale = 0;
  for (let r = 0; r < rows; r++) {
    const first = r * classes;
    let max = -Infinity;
    for (let c = 0; c < classes; c++) max = Math.max(max, data[first + c]!);
    for (let c = 0; c < classes; c++) {
      gaps[first + c] = Math.max(-Number.MAX_VALUE, data[first + c]! - max);
      scale = Math.max(scale, -gaps[first + c]!);
    }
  }
  if (scale > 0) gaps.forEach((gap, i) => (gaps[i] = gap / scale));
  return { gaps, scale };
}

/** Weighted mean NLL of softmax(beta gaps) and its two derivatives in beta. */
function likelihood(
  gaps: Float64Array,
  rows: number,
  classes: number,
  labels: Labels,
  weight: Float64Array,
  beta: number,
): Likelihood {
  let [nll, slope, curvature] = [0, 0, 0];
  for (let r = 0; r < rows; r++) {
    const first = r * classes;
    let [sum, mean, square] = [0, 0, 0];
    for (let c = 0; c < classes; c++) {
      const z = gaps[first + c]!;
      const p = Math.exp(beta * z);
      sum += p;
      mean += p * z;
      square += p * z * z;
    }
    mean /= sum;
    const target = gaps[first + labels[r]!]!;
    nll += weight[r]! * (Math.log(sum) - beta * target);
    slope += weight[r]! * (mean - target);
    curvature += weight[r]! * (square / sum - mean * mean);
  }
  return { nll: nll / rows, slope: slope / rows, curvature: curvature / rows };
}
