/** A dense row-major array in f64: what the reference implementations take and return. */
export interface Dense {
  readonly shape: readonly number[];
  readonly data: Float64Array;
  /** For each element, the sum of the absolute values of the terms that were added up to it. */
  readonly sum?: Float64Array;
}

/** Number of elements of a shape. */
export function count(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

/** The array whose element `i` (row-major) is f(i). */
export function build(shape: readonly number[], f: (i: number) => number): Dense {
  return { shape, data: Float64Array.from({ length: count(shape) }, (_, i) => f(i)) };
}

/** An array of zeros with its `sum`, for loops that add terms with {@link addTerm}. */
export function accumulator(shape: readonly number[]): Required<Dense> {
  return { shape, data: new Float64Array(count(shape)), sum: new Float64Array(count(shape)) };
}

/** to[i] += term, and |term| to its sum. */
export function addTerm(to: Required<Dense>, i: number, term: number): void {
  to.data[i]! += term;
  to.sum[i]! += Math.abs(term);
}

/** Row-major multi-index of element `i`. */
export function unravel(i: number, shape: readonly number[]): number[] {
  const at = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at[axis] = i % shape[axis]!;
    i = Math.floor(i / shape[axis]!);
  }
  return at;
}

/** Position of a multi-index; leading axes that `shape` lacks are dropped, axes of size 1 are broadcast. */
export function ravel(at: readonly number[], shape: readonly number[]): number {
  const skip = at.length - shape.length;
  return shape.reduce((i, d, axis) => i * d + (d === 1 ? 0 : at[axis + skip]!), 0);
}

/** Shape of two arrays broadcast against each other, which must fit. */
export function joint(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return p === 1 ? q : p;
  });
}

/** Splits a shape around an axis: (outer, length, inner). */
export function around(shape: readonly number[], axis: number): { outer: number; length: number; inner: number } {
  const a = axis < 0 ? axis + shape.length : axis;
  return { outer: count(shape.slice(0, a)), length: shape[a]!, inner: count(shape.slice(a + 1)) };
}
