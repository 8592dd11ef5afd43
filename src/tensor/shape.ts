/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** Row-major strides in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let s = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = s;
    s *= shape[i]!;
  }
  return strides;
}

/** True when both shapes have equal rank and sizes. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** NumPy broadcast of two shapes, or null when they do not fit. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): number[] | null {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const p = a[a.length - rank + i] ?? 1;
    const q = b[b.length - rank + i] ?? 1;
    if (p !== q && p !== 1 && q !== 1) return null;
    out[i] = p === 1 ? q : p;
  }
  return out;
}

/** Strides of `shape` seen as `to` (0 along broadcast axes). `shape` must broadcast to `to`. */
export function broadcastStrides(shape: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(shape);
  const pad = to.length - shape.length;
  return to.map((_, i) => (i < pad || shape[i - pad] === 1 ? 0 : own[i - pad]!));
}

/** Axes normalised to 0..rank-1, ascending and unique; null when one is out of range or repeated. */
export function normalizeAxes(axes: readonly number[], rank: number): number[] | null {
  const out = axes.map((a) => (a < 0 ? a + rank : a));
  if (out.some((a) => !Number.isInteger(a) || a < 0 || a >= rank)) return null;
  const unique = [...new Set(out)].sort((a, b) => a - b);
  return unique.length === out.length ? unique : null;
}
