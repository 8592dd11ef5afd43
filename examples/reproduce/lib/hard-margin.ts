import { normalCdf } from 'evenkeel/stats';

/** A half-space w x + b >= 0 of R^d. */
export interface HalfSpace {
  w: Float64Array;
  b: number;
}

/**
 * The least |w| with y_i (w x_i + b) >= margin_i, b free: sequential minimal optimisation of the dual (Platt, 1998) on
 * the pair that violates most. x: (rows, width), separable; labels +1 and -1. With margins delta for +1 and 1 for -1 it
 * is the cost-sensitive machine.
 */
export function hardMargin(
  x: Float64Array,
  labels: ArrayLike<number>,
  margins: ArrayLike<number>,
  { tolerance = 1e-10, most = 1e6 } = {},
): HalfSpace {
  const rows = labels.length;
  const width = x.length / rows;
  const row = (i: number): Float64Array => x.subarray(i * width, (i + 1) * width);
  const alpha = new Float64Array(rows);
  const w = new Float64Array(width);
  // y_i margin_i - w x_i: the bias that would put row i on its margin.
  const need = Float64Array.from({ length: rows }, (_, i) => labels[i]! * margins[i]!);
  const gram = Float64Array.from({ length: rows * rows }, (_, k) => dot(row(Math.floor(k / rows)), row(k % rows)));
  for (let step = 0; step < most; step++) {
    let [up, low] = [-1, -1];
    for (let i = 0; i < rows; i++) {
      if ((labels[i]! > 0 || alpha[i]! > 0) && (up < 0 || need[i]! > need[up]!)) up = i;
      if ((labels[i]! < 0 || alpha[i]! > 0) && (low < 0 || need[i]! < need[low]!)) low = i;
    }
    const gap = need[up]! - need[low]!;
    if (gap < tolerance) return { w, b: (need[up]! + need[low]!) / 2 };
    const at = (i: number, j: number): number => gram[i * rows + j]!;
    let t = gap / (at(up, up) + at(low, low) - 2 * at(up, low));
    if (labels[up]! < 0) t = Math.min(t, alpha[up]!);
    if (labels[low]! > 0) t = Math.min(t, alpha[low]!);
    alpha[up]! += labels[up]! * t;
    alpha[low]! -= labels[low]! * t;
    for (let i = 0; i < rows; i++) need[i]! -= t * (at(up, i) - at(low, i));
    for (let k = 0; k < width; k++) w[k]! += t * (row(up)[k]! - row(low)[k]!);
  }
  throw new RangeError(`hardMargin: no solution after ${most} steps; are the classes separable?`);
}

/** The same without b, by coordinate ascent: a constant feature of x is then a bias that counts in |w|. */
export function hardMarginThroughOrigin(
  x: Float64Array,
  labels: ArrayLike<number>,
  margins: ArrayLike<number>,
  { tolerance = 1e-10, most = 1e5 } = {},
): Float64Array {
  const rows = labels.length;
  const width = x.length / rows;
  const alpha = new Float64Array(rows);
  const w = new Float64Array(width);
  for (let sweep = 0; sweep < most; sweep++) {
    let moved = 0;
    for (let i = 0; i < rows; i++) {
      const xi = x.subarray(i * width, (i + 1) * width);
      const next = Math.max(0, alpha[i]! + (margins[i]! - labels[i]! * dot(w, xi)) / dot(xi, xi));
      const by = labels[i]! * (next - alpha[i]!);
      moved = Math.max(moved, Math.abs(by));
      alpha[i] = next;
      for (let k = 0; k < width; k++) w[k]! += by * xi[k]!;
    }
    if (moved < tolerance) return w;
  }
  throw new RangeError(`hardMarginThroughOrigin: no solution after ${most} sweeps; are the classes separable?`);
}

/** The cost-sensitive machine of margins delta and 1 from the plain one: with a free bias only the threshold moves. */
export function costSensitive({ w, b }: HalfSpace, delta: number): HalfSpace {
  const scale = (delta + 1) / 2;
  return { w: w.map((v) => scale * v), b: scale * b + (delta - 1) / 2 };
}

/**
 * Exact errors of a half-space on N(mean, I) (class +1) and N(-mean, I), the mean along the first axis, and their
 * average.
 */
export function exactErrors({ w, b }: HalfSpace, mean: number): { plus: number; minus: number; balanced: number } {
  const length = Math.sqrt(dot(w, w));
  const [plus, minus] = [normalCdf(-(mean * w[0]! + b) / length), normalCdf(-(mean * w[0]! - b) / length)];
  return { plus, minus, balanced: (plus + minus) / 2 };
}

/** 1 - cos of the angle between two vectors. */
export function oneMinusCosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [p, q] = [Float64Array.from(a), Float64Array.from(b)];
  const [lp, lq] = [Math.sqrt(dot(p, p)), Math.sqrt(dot(q, q))];
  // |p / |p| - q / |q||^2 / 2 keeps the digits that 1 - cos would lose.
  return p.reduce((sum, v, i) => sum + (v / lp - q[i]! / lq) ** 2, 0) / 2;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
