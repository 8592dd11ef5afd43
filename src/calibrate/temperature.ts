import { checkLabels, toRows, type Labels, type Matrix } from '../metrics/rows.ts';
import { NdArray } from '../tensor/ndarray.ts';

/** What {@link fitTemperature} returns. */
export interface TemperatureFit {
  /** Divide logits by it. 1 when no temperature in the bracket lowers the NLL. */
  temperature: number;
  /** Mean negative log-likelihood at temperature 1. */
  nllBefore: number;
  /** Mean negative log-likelihood at `temperature`; never above `nllBefore`. */
  nllAfter: number;
  /** True when the derivative vanishes inside the bracket; false when the optimum lies at or beyond one of its ends. */
  converged: boolean;
}

/** beta = 1 / T is searched here: T from 1/20 to 20. */
const MIN_BETA = 1 / 20;
const MAX_BETA = 20;

/**
 * Temperature scaling (Guo et al., On calibration of modern neural networks, ICML 2017): the T that minimises the mean
 * NLL of softmax(logits / T). In beta = 1 / T the NLL is convex, with derivative mean(E_p[z] - z_y) and second
 * derivative mean(Var_p[z]); Newton's method inside a shrinking bracket, T in [1/20, 20], finds the root to 1e-14.
 * (LBFGS in the usual code can stop early, explode or turn negative.) logits: (rows, classes).
 * Throws RangeError on logits that are not finite and labels that do not fit.
 */
export function fitTemperature(logits: Matrix, labels: Labels): TemperatureFit {
  const { data, rows, classes } = finiteRows(logits, 'fitTemperature: logits');
  checkLabels(labels, rows, classes, 'fitTemperature: labels');
  const at = (beta: number) => likelihood(data, rows, classes, labels, beta);

  const before = at(1);
  const [low, high] = [at(MIN_BETA), at(MAX_BETA)];
  let beta: number;
  let converged = true;
  if (low.slope >= 0 || high.slope <= 0) {
    // All-equal logits are flat: every temperature is an optimum, and 1 is kept.
    converged = low.slope === 0 && high.slope === 0;
    beta = converged ? 1 : low.slope >= 0 ? MIN_BETA : MAX_BETA;
  } else {
    beta = root(at, MIN_BETA, MAX_BETA);
  }
  const after = at(beta);
  if (!(after.nll < before.nll)) return { temperature: 1, nllBefore: before.nll, nllAfter: before.nll, converged };
  return { temperature: 1 / beta, nllBefore: before.nll, nllAfter: after.nll, converged };
}

/**
 * softmax(logits / temperature) of every row, in float64 with the maximum subtracted. logits: (rows, classes).
 * Default temperature 1. Throws RangeError on logits that are not finite and unless temperature is positive and finite.
 */
export function softmaxRows(logits: Matrix, temperature = 1): NdArray<Float64Array> {
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(`softmaxRows: temperature is ${temperature}, expected a finite number > 0`);
  }
  const { data, rows, classes } = finiteRows(logits, 'softmaxRows: logits');
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

/** Zero of the slope between `low`, where it is negative, and `high`, where it is positive. */
function root(at: (beta: number) => Likelihood, low: number, high: number): number {
  let beta = 1;
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

/** Mean NLL of softmax(beta z) and its two derivatives in beta, with z shifted by the row's maximum. */
function likelihood(data: ArrayLike<number>, rows: number, classes: number, labels: Labels, beta: number): Likelihood {
  let nll = 0;
  let slope = 0;
  let curvature = 0;
  for (let r = 0; r < rows; r++) {
    const first = r * classes;
    let max = -Infinity;
    for (let c = 0; c < classes; c++) max = Math.max(max, data[first + c]!);
    let sum = 0;
    let mean = 0;
    let square = 0;
    for (let c = 0; c < classes; c++) {
      const z = data[first + c]! - max;
      const weight = Math.exp(beta * z);
      sum += weight;
      mean += weight * z;
      square += weight * z * z;
    }
    mean /= sum;
    const target = data[first + labels[r]!]! - max;
    nll += Math.log(sum) - beta * target;
    slope += mean - target;
    curvature += square / sum - mean * mean;
  }
  return { nll: nll / rows, slope: slope / rows, curvature: curvature / rows };
}

function finiteRows(logits: Matrix, where: string): ReturnType<typeof toRows> {
  const matrix = toRows(logits, where);
  const { data, classes } = matrix;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw new RangeError(`${where} is ${data[i]} at row ${Math.floor(i / classes)}, class ${i % classes}, expected finite numbers`);
  }
  return matrix;
}
