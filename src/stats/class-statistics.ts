import { check, checkOptions, integer, listOf, oneOf } from '../check/check.ts';

/** Rows of numbers, row-major: shape (rows, width). An NdArray is one. */
export interface RowMatrix {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** Mean and covariance of the rows of each class, in f64. */
export interface ClassStatistics {
  classes: number;
  width: number;
  /** Rows of each class. */
  counts: number[];
  /** (classes, width); zeros for a class without rows. */
  means: Float64Array;
  /** (classes, width, width), or only the diagonals (classes, width); zeros for a class with one row or none. */
  covariances: Float64Array;
  isDiagonal: boolean;
}

/** Options of {@link classStatistics}. */
export interface ClassStatisticsOptions {
  /** 'diagonal' keeps variances alone, which many classes of many features ask for. Default: 'full'. */
  covariance?: 'full' | 'diagonal';
}

/**
 * Class means and sample covariances (divided by n - 1) of rows (n, width) with labels in 0..classes-1, by a pass for
 * the means and one for the deviations. A class with fewer than two rows has no covariance and gets zeros; see
 * `counts`. Throws RangeError for shapes that do not fit, labels out of range, and numbers that are not finite.
 */
export function classStatistics(
  x: RowMatrix,
  labels: ArrayLike<number>,
  classes: number,
  options: ClassStatisticsOptions = {},
): ClassStatistics {
  checkOptions('classStatistics', options, { covariance: oneOf('full', 'diagonal') });
  check('classStatistics', { classes }, { classes: integer(1) });
  const { covariance = 'full' } = options;
  const [rows, width] = checkedRows('classStatistics: x', x);
  checkedLabels('classStatistics', labels, rows, classes);
  const isDiagonal = covariance === 'diagonal';
  const counts = new Array<number>(classes).fill(0);
  const means = new Float64Array(classes * width);
  for (let r = 0; r < rows; r++) {
    const c = labels[r]!;
    counts[c]!++;
    for (let i = 0; i < width; i++) means[c * width + i]! += x.data[r * width + i]!;
  }
  for (let i = 0; i < means.length; i++) means[i]! /= Math.max(1, counts[Math.floor(i / width)]!);
  const size = isDiagonal ? width : width * width;
  const covariances = new Float64Array(classes * size);
  const deviation = new Float64Array(width);
  for (let r = 0; r < rows; r++) {
    const c = labels[r]!;
    if (counts[c]! < 2) continue;
    for (let i = 0; i < width; i++) deviation[i] = x.data[r * width + i]! - means[c * width + i]!;
    const scale = 1 / (counts[c]! - 1);
    for (let i = 0; i < width; i++) {
      if (isDiagonal) covariances[c * size + i]! += deviation[i]! ** 2 * scale;
      else
        for (let j = 0; j < width; j++) covariances[c * size + i * width + j]! += deviation[i]! * deviation[j]! * scale;
    }
  }
  return { classes, width, counts, means, covariances, isDiagonal };
}

/** The mean of class c, a view. */
export function meanOf({ means, width }: ClassStatistics, c: number): Float64Array {
  return means.subarray(c * width, (c + 1) * width);
}

/** The covariance of class c, or its diagonal, a view. */
export function covarianceOf({ covariances, width, isDiagonal }: ClassStatistics, c: number): Float64Array {
  const size = isDiagonal ? width : width * width;
  return covariances.subarray(c * size, (c + 1) * size);
}

/** Standard deviations of class c. */
export function deviationsOf(statistics: ClassStatistics, c: number): Float64Array {
  const { width, isDiagonal } = statistics;
  const covariance = covarianceOf(statistics, c);
  return Float64Array.from({ length: width }, (_, i) => Math.sqrt(covariance[isDiagonal ? i : i * (width + 1)]!));
}

/** Rows and width of a matrix. Throws RangeError, naming `what`, unless it has rank 2 and finite numbers. */
export function checkedRows(what: string, { data, shape }: RowMatrix): [rows: number, width: number] {
  const [rows = 0, width = 0] = shape;
  if (shape.length !== 2 || data.length !== rows * width || width === 0)
    throw new RangeError(`${what} has shape [${shape}] and ${data.length} values, expected (rows, width)`);
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i]))
      throw new RangeError(`${what} is ${data[i]} in row ${Math.floor(i / width)}, expected finite numbers`);
  return [rows, width];
}

/** Throws RangeError unless there is a label in 0..classes-1 for each row. */
export function checkedLabels(where: string, labels: ArrayLike<number>, rows: number, classes: number): void {
  check(where, { labels }, { labels: listOf(integer(0, classes - 1), rows, 'one per row') });
}
