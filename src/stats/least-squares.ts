/**
 * The x with the least |A x - b|^2, by modified Gram-Schmidt, in f64; null when a column of A depends on the others. a:
 * rows of A, at least as many as columns.
 */
export function leastSquares(a: readonly ArrayLike<number>[], b: ArrayLike<number>): Float64Array | null {
  const n = a[0]!.length;
  const q = Array.from({ length: n }, (_, j) => Float64Array.from(a, (row) => row[j]!));
  const r = Array.from({ length: n }, () => new Float64Array(n));
  const rest = Float64Array.from(b);
  const x = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    const column = q[j]!;
    const length = Math.sqrt(dot(column, column));
    for (let i = 0; i < j; i++) take(column, q[i]!, (r[i]![j] = dot(q[i]!, column)));
    r[j]![j] = Math.sqrt(dot(column, column));
    if (!(r[j]![j]! > 1e-10 * length)) return null;
    for (let i = 0; i < column.length; i++) column[i]! /= r[j]![j]!;
    take(rest, column, (x[j] = dot(column, rest)));
  }
  for (let j = n - 1; j >= 0; j--) {
    for (let i = j + 1; i < n; i++) x[j]! -= r[j]![i]! * x[i]!;
    x[j]! /= r[j]![j]!;
  }
  return x;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

function take(from: Float64Array, direction: Float64Array, amount: number): void {
  for (let i = 0; i < from.length; i++) from[i]! -= amount * direction[i]!;
}
