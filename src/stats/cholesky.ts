import { atLeast, boolean, checkOptions, integer } from '../check/check.ts';

/** Matrices one after another: shape (..., rows, columns), row-major. An NdArray is one. */
export interface Matrices {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** Matrices in f64. */
export interface Matrices64 extends Matrices {
  readonly data: Float64Array;
}

/** Lower triangular factors, and for each matrix what was added to its diagonal to obtain one. */
export interface Cholesky extends Matrices64 {
  readonly jitter: Float64Array;
}

/** What to do with a matrix that is not positive definite. */
export interface CholeskyOptions {
  /**
   * Added to the diagonal when the matrix itself has no factor, then ten times as much, and so on. Default: 0, an
   * error.
   */
  jitter?: number;
  /** Jitters that are tried. Default: 3. */
  maxTries?: number;
}

/**
 * L with L L' = A for symmetric positive definite A (..., n, n); only the lower triangle of A is read, the upper of L
 * is 0. On the CPU in f64: the covariances of statistics are small, and f32 would lose the definiteness that this asks
 * for. Jitter escalates as in GPyTorch's psd_safe_cholesky.
 * Throws RangeError for matrices that are not square and, naming matrix and pivot, for those without a factor.
 */
export function cholesky(a: Matrices, options: CholeskyOptions = {}): Cholesky {
  checkOptions('cholesky', options, { jitter: atLeast(0), maxTries: integer(1) });
  const { jitter = 0, maxTries = 3 } = options;
  const { n, count } = squareOf('cholesky: a', a);
  const data = new Float64Array(count * n * n);
  const added = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const base = i * n * n;
    const failed = factor(a.data, data, base, n, 0);
    if (!failed) continue;
    const jitters = jitter === 0 ? [] : Array.from({ length: maxTries }, (_, t) => jitter * 10 ** t);
    const found = jitters.find((j) => !factor(a.data, data, base, n, j));
    if (found === undefined) {
      const tried = jitters.length ? `; adding up to ${jitters.at(-1)} to the diagonal does not help` : '';
      throw new RangeError(
        `cholesky: matrix ${i} is not positive definite, pivot ${failed.pivot} is ${failed.value}${tried}`,
      );
    }
    added[i] = found;
  }
  return { data, shape: [...a.shape], jitter: added };
}

/** Writes the factor of the matrix at `base`, row by row; the first pivot that is not positive where there is none. */
function factor(
  a: ArrayLike<number>,
  l: Float64Array,
  base: number,
  n: number,
  jitter: number,
): { pivot: number; value: number } | null {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let s = a[base + i * n + j]! + (i === j ? jitter : 0);
      for (let k = 0; k < j; k++) s -= l[base + i * n + k]! * l[base + j * n + k]!;
      if (i > j) l[base + i * n + j] = s / l[base + j * n + j]!;
      else if (s > 0 && s < Infinity) l[base + i * n + i] = Math.sqrt(s);
      else return { pivot: i, value: s };
    }
  }
  return null;
}

/** How a triangular matrix is read. */
export interface SolveTriangularOptions {
  /** Use the upper triangle. Default: false, the lower. */
  upper?: boolean;
  /** Solve with the transpose of that triangle. Default: false. */
  transpose?: boolean;
  /** Take the diagonal as ones. Default: false. */
  unitriangular?: boolean;
}

/**
 * X with A X = B for triangular A (..., n, n) and B (..., n, m), as torch.linalg.solve_triangular; the other triangle
 * of A is not read. One matrix A serves all of B. On the CPU in f64, as {@link cholesky}.
 * Throws RangeError for shapes that do not fit and, naming matrix and pivot, for a zero on the diagonal.
 */
export function solveTriangular(a: Matrices, b: Matrices, options: SolveTriangularOptions = {}): Matrices64 {
  checkOptions('solveTriangular', options, { upper: boolean, transpose: boolean, unitriangular: boolean });
  const { upper = false, transpose = false, unitriangular = false } = options;
  const { n, count } = squareOf('solveTriangular: a', a);
  expectFilled('solveTriangular: b', b);
  const m = b.shape.at(-1)!;
  const [leadA, leadB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  if (b.shape.at(-2) !== n || (count !== 1 && leadA.join() !== leadB.join())) {
    throw new RangeError(
      `solveTriangular: a has shape [${a.shape}], b [${b.shape}], expected b of shape ` +
        `[${[...(count === 1 ? leadB : leadA), n, 'm']}]`,
    );
  }
  const x = Float64Array.from(b.data);
  const isBackward = upper !== transpose;
  for (let i = 0; i * n * m < x.length; i++) {
    const base = count === 1 ? 0 : i * n * n;
    const at = (row: number, col: number): number => a.data[base + (transpose ? col * n + row : row * n + col)]!;
    for (let step = 0; step < n; step++) {
      const row = isBackward ? n - 1 - step : step;
      const pivot = unitriangular ? 1 : at(row, row);
      if (pivot === 0)
        throw new RangeError(`solveTriangular: matrix ${count === 1 ? 0 : i} is singular, pivot ${row} is 0`);
      const [from, to] = isBackward ? [row + 1, n] : [0, row];
      for (let c = 0; c < m; c++) {
        let s = x[(i * n + row) * m + c]!;
        for (let k = from; k < to; k++) s -= at(row, k) * x[(i * n + k) * m + c]!;
        x[(i * n + row) * m + c] = s / pivot;
      }
    }
  }
  return { data: x, shape: [...b.shape] };
}

function expectFilled(what: string, { data, shape }: Matrices): void {
  if (shape.length < 2) throw new RangeError(`${what} has shape [${shape}], expected at least two axes`);
  const size = shape.reduce((s, d) => s * d, 1);
  if (data.length !== size)
    throw new RangeError(`${what} has shape [${shape}] of ${size} elements and ${data.length} values`);
}

/** Rows of square matrices, and how many matrices there are. */
function squareOf(what: string, a: Matrices): { n: number; count: number } {
  expectFilled(what, a);
  const n = a.shape.at(-1)!;
  if (a.shape.at(-2) !== n) throw new RangeError(`${what} has shape [${a.shape}], expected square matrices`);
  return { n, count: a.shape.slice(0, -2).reduce((s, d) => s * d, 1) };
}
