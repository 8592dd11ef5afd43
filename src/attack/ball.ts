import { add, div, maximum, minimum, mul, sub } from '../ops/binary.ts';
import { greaterEqual, isFinite, lessEqual, logicalAnd } from '../ops/compare.ts';
import { all, sum } from '../ops/reduce.ts';
import { clamp, sqrt, square } from '../ops/unary.ts';
import { expectBox, firstOutside, outside } from '../stats/box.ts';
import { sizeOf } from '../tensor/shape.ts';
import { noGrad } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { made } from './model.ts';

/** The largest f32. */
const LARGEST = 3.4028234663852886e38;

/** The points that an attack may use: those within eps of x, and inside `clip`. */
export interface Ball {
  /** Radius, in units of the input. */
  eps: number;
  /** Default: 'linf'. */
  norm?: 'linf' | 'l2';
  /** Interval that the inputs lie in, and the points with them; null: none. Default: [0, 1]. */
  clip?: readonly [number, number] | null;
}

/** All axes but the first. */
export const itemAxes = (x: Tensor): number[] => x.shape.map((_, i) => i).slice(1);

/** Length of each sample, (n, 1, ...). */
export function lengths(x: Tensor): Tensor {
  return sqrt(sum(square(x), { axes: itemAxes(x), keepDim: true }));
}

/** The nearest point inside `clip`. */
export function clipped(x: Tensor, { clip = [0, 1] }: Ball): Tensor {
  return clip ? clamp(x, clip[0], clip[1]) : x;
}

/** The nearest point of the ball around x; for l2 by the factor min(1, eps / (length + 1e-12)). */
export function projected(x: Tensor, moved: Tensor, { eps, norm = 'linf' }: Ball): Tensor {
  if (norm === 'linf') return maximum(minimum(moved, add(x, eps)), sub(x, eps));
  const delta = sub(moved, x);
  return add(x, mul(delta, minimum(div(eps, add(lengths(delta), 1e-12)), 1)));
}

/** Throws a RangeError, naming `op`, on a radius, a norm or an interval that makes no sense. */
export function checkBall(op: string, { eps, norm = 'linf', clip = [0, 1] }: Ball): void {
  if (!(eps >= 0 && Number.isFinite(eps))) throw new RangeError(`${op}: eps is ${eps}, expected a finite number of at least 0`);
  if (norm !== 'linf' && norm !== 'l2') throw new RangeError(`${op}: norm is ${String(norm)}, expected linf or l2`);
  expectBox(`${op}: clip`, clip);
}

/** The labels, read together with a flag. Throws a RangeError, naming `op`, unless all of x is finite and lies in `clip`. */
export async function readInside(op: string, x: Tensor, labels: Tensor<'i32'>, { clip = [0, 1] }: Pick<Ball, 'clip'>): Promise<Int32Array> {
  if (x.size === 0) return labels.read();
  const [low, high] = clip ?? [-LARGEST, LARGEST];
  // A comparison with NaN may be true.
  const isInside = made(() => noGrad(() => all(logicalAnd(isFinite(x), logicalAnd(greaterEqual(x, low), lessEqual(x, high))))));
  try {
    const [flag, own] = await x.gpu.read([isInside, labels].map((t) => ({ storage: t.storage, offset: t.byteOffset, bytes: t.byteLength })));
    if (new Uint32Array(flag!)[0]) return new Int32Array(own!);
  } finally {
    isInside.dispose();
  }
  const values = await x.read();
  const at = firstOutside(values, clip);
  throw new RangeError(`${op}: x is ${values[at]} in row ${Math.floor(at / sizeOf(x.shape.slice(1)))}, ${outside(clip)}`);
}

/** Throws a RangeError, naming `op`, unless each of the values is a positive integer. */
export function checkCounts(op: string, counts: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${op}: ${name} is ${value}, expected a positive integer`);
  }
}
