import { any, atLeast, checkOptions, listOf } from '../check/check.ts';
import { checkedLabels, checkedRows, type RowMatrix } from './class-statistics.ts';
import { lbfgs, type LbfgsOptions } from './lbfgs.ts';

/** Options of {@link logisticRegression}. */
export interface LogisticRegressionOptions extends LbfgsOptions {
  /** Penalty l2 / 2 |W|^2 added to the summed losses: 1 / C of scikit-learn. The bias is free. Default: 1. */
  l2?: number;
  /** Weights of the rows. Default: 1. */
  sampleWeight?: ArrayLike<number>;
}

/** A linear classifier: logits W x + b. */
export interface LinearClassifier {
  /** (classes, width), row-major. */
  weight: Float64Array;
  bias: Float64Array;
  /** False when the search stopped before the minimum. */
  converged: boolean;
}

/**
 * Multinomial logistic regression of rows (n, width) on labels in 0..classes-1: the minimum of sum_i w_i CE(W x_i + b,
 * y_i) + l2 / 2 |W|^2 by L-BFGS from 0. On the CPU in f64: a convex problem with one answer, for features that are
 * frozen. Throws RangeError for shapes that do not fit, labels out of range, a negative l2 or weight, and without rows.
 */
export function logisticRegression(
  x: RowMatrix,
  labels: ArrayLike<number>,
  classes: number,
  options: LogisticRegressionOptions = {},
): LinearClassifier {
  checkOptions('logisticRegression', options, {
    l2: atLeast(0),
    sampleWeight: listOf(atLeast(0), x.shape[0]),
    tolerance: any,
    maxIterations: any,
    historySize: any,
  });
  const { l2 = 1, sampleWeight, tolerance = 1e-5, ...search } = options;
  const [rows, width] = checkedRows('logisticRegression: x', x);
  checkedLabels('logisticRegression', labels, rows, classes);
  if (rows === 0) throw new RangeError('logisticRegression: x has 0 rows, expected at least 1');
  const { data } = x;
  const size = classes * width;
  const z = new Float64Array(classes);
  const found = lbfgs(
    (w, gradient) => {
      let value = 0;
      for (let r = 0; r < rows; r++) {
        const y = labels[r]!;
        let most = -Infinity;
        for (let c = 0; c < classes; c++) {
          let sum = w[size + c]!;
          for (let i = 0; i < width; i++) sum += w[c * width + i]! * data[r * width + i]!;
          z[c] = sum;
          most = Math.max(most, sum);
        }
        const own = z[y]! - most;
        let total = 0;
        for (let c = 0; c < classes; c++) total += z[c] = Math.exp(z[c]! - most);
        const weight = sampleWeight?.[r] ?? 1;
        value += weight * (Math.log(total) - own);
        for (let c = 0; c < classes; c++) {
          const g = weight * (z[c]! / total - Number(c === y));
          gradient[size + c]! += g;
          for (let i = 0; i < width; i++) gradient[c * width + i]! += g * data[r * width + i]!;
        }
      }
      for (let i = 0; i < size; i++) {
        value += 0.5 * l2 * w[i]! ** 2;
        gradient[i]! += l2 * w[i]!;
      }
      return value;
    },
    new Float64Array(size + classes),
    { tolerance, ...search },
  );
  return { weight: found.x.slice(0, size), bias: found.x.slice(size), converged: found.converged };
}
