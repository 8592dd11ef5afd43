import { atLeast, checkOptions, integer } from '../check/check.ts';
import type { Labels, Matrix } from '../metrics/matrix.ts';
import { lbfgs, type LbfgsOptions } from '../stats/lbfgs.ts';
import {
  INPUT,
  calibrationMethod,
  calibrator,
  logitNll,
  logSumExp,
  searchUnit,
  toLogits,
  type CalibrationData,
  type CalibrationMethod,
  type Calibrator,
  type FittedCalibrator,
  type Logits,
  type ScoreOptions,
} from './calibrator.ts';
import { expectNumbers, expectState, plain } from '../check/state.ts';
import { softmaxRows } from './temperature.ts';
import { NdArray } from '../tensor/ndarray.ts';

/** softmax(W z + b), W (classes, classes) row-major, or its diagonal for 'temperature' and 'vector'. */
export interface AffineState {
  kind: 'temperature' | 'vector' | 'matrix';
  input: 'logits' | 'probabilities';
  classes: number;
  weight: number[];
  bias: number[];
}

/** Options of {@link vectorScaling}. */
export interface VectorScalingOptions extends ScoreOptions, LbfgsOptions {}

/** Options of {@link matrixScaling}. */
export interface MatrixScalingOptions extends ScoreOptions, LbfgsOptions {
  /** Penalty of the off-diagonal entries, lambda / (K (K - 1)) sum W_ij^2. Default: 0.01. */
  lambda?: number;
  /** Penalty of the bias, mu / K sum b^2. Default: 0.01. */
  mu?: number;
}

const SEARCH = { maxIterations: integer(1), tolerance: atLeast(0), historySize: integer(1) } as const;

/** softmax(W z + b). */
export interface AffineCalibrator extends Calibrator<AffineState> {
  /** W z + b of scores (rows, classes): logits, whose softmax the probabilities are. */
  logits(scores: Matrix): NdArray<Float64Array>;
}

/** What {@link vectorScaling} and {@link matrixScaling} fit. */
export interface FittedAffine extends AffineCalibrator, FittedCalibrator<AffineState> {}

/**
 * Vector scaling (Guo et al., ICML 2017): softmax(a z + b) with one factor and one shift a class, by minimising the
 * mean NLL from a = 1, b = 0. The NLL is convex, so that the search cannot diverge; on data that it separates there is
 * no minimum: the search ends where the slope is below its tolerance, and `converged` is false.
 */
export function vectorScaling(options: VectorScalingOptions = {}): CalibrationMethod<FittedAffine> {
  checkOptions('vectorScaling', options, { input: INPUT, ...SEARCH });
  return calibrationMethod('vectorScaling', options.input, (of) => fitted('vector', of, options, () => 0));
}

/**
 * Matrix scaling softmax(W z + b) with off-diagonal and intercept regularisation (Kull et al., Beyond temperature
 * scaling, NeurIPS 2019, which chooses lambda and mu by cross-validation). Starts at the identity, so that the NLL
 * never grows; the diagonal has no penalty, so that `converged` is false on data that it separates. With
 * `input: 'probabilities'` it is Dirichlet calibration.
 */
export function matrixScaling(options: MatrixScalingOptions = {}): CalibrationMethod<FittedAffine> {
  checkOptions('matrixScaling', options, { input: INPUT, ...SEARCH, lambda: atLeast(0), mu: atLeast(0) });
  const { lambda = 0.01, mu = 0.01 } = options;
  return calibrationMethod('matrixScaling', options.input, (of) =>
    fitted('matrix', of, options, (i, k) => (i >= k * k ? mu / k : i % (k + 1) === 0 ? 0 : lambda / (k * (k - 1)))),
  );
}

/** The calibrator of a stored state. Throws RangeError on any field that is not what a fit would have stored. */
export function affine(state: AffineState): AffineCalibrator {
  const { kind, weight, bias, classes } = expectState('loadCalibrator', state, {
    kind: ['temperature', 'vector', 'matrix'],
    input: ['logits', 'probabilities'],
    classes: 'positive',
    weight: 'list',
    bias: 'list',
  });
  expectNumbers(`loadCalibrator: weight of ${kind}`, weight, kind === 'matrix' ? classes * classes : classes);
  expectNumbers(`loadCalibrator: bias of ${kind}`, bias, classes);
  return affineOf(state);
}

/** The calibrator of a state that is right. */
export function affineOf(state: AffineState): AffineCalibrator {
  const { weight, bias, classes, input } = state;
  return {
    ...calibrator(state, (logits) => softmaxRows(asMatrix(transform(logits, weight, bias)))),
    logits: (scores) => asMatrix(transform(toLogits(scores, 'logits: scores', input, classes), weight, bias)),
  };
}

function fitted(
  kind: 'vector' | 'matrix',
  of: CalibrationData,
  options: VectorScalingOptions,
  penalty: (i: number, classes: number) => number,
): FittedAffine {
  const { input = 'logits', maxIterations, tolerance, historySize } = options;
  const { rows, classes: k, labels, weight: w } = of;
  const { scaled, unit } = inUnits(of);
  const { data } = scaled;
  const size = kind === 'matrix' ? k * k : k;
  const start = new Float64Array(size + k);
  for (let c = 0; c < k; c++) start[kind === 'matrix' ? c * (k + 1) : c] = 1;
  const cost = (i: number): number => penalty(i, k) / (i < size ? unit * unit : 1);
  const found = lbfgs(
    (x, gradient) => {
      const z = transform(scaled, x.subarray(0, size), x.subarray(size)).data;
      let value = 0;
      for (let r = 0; r < rows; r++) {
        const total = logSumExp(z, r * k, k);
        for (let c = 0; c < k; c++) {
          const hit = labels[r] === c;
          if (hit) value += (w[r]! * (total - z[r * k + c]!)) / rows;
          const g = (w[r]! * (Math.exp(z[r * k + c]! - total) - Number(hit))) / rows;
          gradient[size + c]! += g;
          if (kind === 'vector') gradient[c]! += g * data[r * k + c]!;
          else for (let j = 0; j < k; j++) gradient[c * k + j]! += g * data[r * k + j]!;
        }
      }
      x.forEach((v, i) => {
        value += cost(i) * v * v;
        gradient[i]! += 2 * cost(i) * v;
      });
      return value;
    },
    start,
    { maxIterations, tolerance, historySize },
  );
  // Parameters without a penalty may grow for ever where they alone give every label the largest logit.
  const free = found.x.map((v, i) => (penalty(i, k) > 0 ? 0 : v));
  const isSeparated = isInFront(transform(scaled, free.subarray(0, size), free.subarray(size)), labels);
  const stateOf = (x: Float64Array, factor: number): AffineState => ({
    kind,
    input,
    classes: k,
    weight: plain(x.subarray(0, size).map((v) => v / factor)),
    bias: plain(x.subarray(size)),
  });
  const nllOf = ({ weight, bias }: AffineState): number => logitNll({ ...of, ...transform(of, weight, bias) });
  const nllBefore = logitNll(of);
  const best = stateOf(found.x, unit);
  // A search in other units starts elsewhere, and where there is no minimum it may end above the identity.
  const state = nllOf(best) <= nllBefore ? best : stateOf(start, 1);
  return { ...affine(state), nllBefore, nllAfter: nllOf(state), converged: found.converged && !isSeparated };
}

/** Logits divided by the unit of a search. */
function inUnits(of: CalibrationData): { scaled: CalibrationData; unit: number } {
  const unit = searchUnit(of.data);
  return { scaled: unit === 1 ? of : { ...of, data: of.data.map((z) => z / unit) }, unit };
}

/** Whether the label of every row has the largest logit, alone. */
function isInFront({ data, rows, classes }: Logits, labels: Labels): boolean {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < classes; c++)
      if (c !== labels[r] && !(data[r * classes + c]! < data[r * classes + labels[r]!]!)) return false;
  }
  return true;
}

const asMatrix = ({ data, rows, classes }: Logits): NdArray<Float64Array> => new NdArray(data, [rows, classes]);

function transform({ data, rows, classes: k }: Logits, weight: ArrayLike<number>, bias: ArrayLike<number>): Logits {
  const out = new Float64Array(rows * k);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < k; c++) {
      let sum = bias[c]!;
      if (weight.length === k) sum += weight[c]! * data[r * k + c]!;
      else for (let j = 0; j < k; j++) sum += weight[c * k + j]! * data[r * k + j]!;
      out[r * k + c] = sum;
    }
  }
  return { data: out, rows, classes: k };
}
