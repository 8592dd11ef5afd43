import { atLeast, check, checkValue, either, listOf, oneOf } from '../check/check.ts';
import { add, div, maximum, minimum, mul, sub } from '../ops/binary.ts';
import { greaterEqual, isFinite, lessEqual, logicalAnd } from '../ops/compare.ts';
import { all, sum } from '../ops/reduce.ts';
import { clamp, sqrt, square } from '../ops/unary.ts';
import { BOX, firstOutside, outside } from '../stats/box.ts';
import { sizeOf } from '../tensor/shape.ts';
import { noGrad } from '../tensor/tape.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { kept } from './model.ts';

/** The largest f32. */
const LARGEST = 3.4028234663852886e38;

/** A number, or one for each channel, the second axis of x. */
export type PerChannel = number | readonly number[];

/** The number itself, or the list so that it broadcasts over x: (channels, 1, ...). */
export function channelwise(v: PerChannel, x: Tensor): number | Tensor {
  return typeof v === 'number' ? v : tensor(v, { shape: [v.length, ...x.shape.slice(2).map(() => 1)], gpu: x.gpu });
}

/** `v` times a number. */
export function scaledBy(v: PerChannel, factor: number): PerChannel {
  return typeof v === 'number' ? v * factor : v.map((each) => each * factor);
}

/** x cut to an interval, which may differ between channels. */
export function cut(x: Tensor, low: PerChannel, high: PerChannel): Tensor {
  return typeof low === 'number' && typeof high === 'number'
    ? clamp(x, low, high)
    : maximum(minimum(x, channelwise(high, x)), channelwise(low, x));
}

/** The points that an attack may use: those within eps of x, and inside `clip`. */
export interface Ball {
  /** Radius, in units of the input; for 'linf' also one for each channel, the second axis. */
  eps: PerChannel;
  /** Default: 'linf'. */
  norm?: 'linf' | 'l2';
  /** Interval that the inputs lie in, and the points with them; null: none. Default: [0, 1]. */
  clip?: readonly [low: PerChannel, high: PerChannel] | null;
}

/** All axes but the first. */
export const itemAxes = (x: Tensor): number[] => x.shape.map((_, i) => i).slice(1);

/** Length of each sample, (n, 1, ...). */
export function lengths(x: Tensor): Tensor {
  return sqrt(sum(square(x), { axes: itemAxes(x), keepDim: true }));
}

/** The nearest point inside `clip`. */
export function clipped(x: Tensor, { clip = [0, 1] }: Ball): Tensor {
  return clip ? cut(x, clip[0], clip[1]) : x;
}

/** The nearest point of the ball around x; for l2 by the factor min(1, eps / (length + 1e-12)). */
export function projected(x: Tensor, moved: Tensor, { eps, norm = 'linf' }: Ball): Tensor {
  const radius = channelwise(eps, x);
  if (norm === 'linf') return maximum(minimum(moved, add(x, radius)), sub(x, radius));
  const delta = sub(moved, x);
  return add(x, mul(delta, minimum(div(radius, add(lengths(delta), 1e-12)), 1)));
}

/** Rule of {@link PerChannel} where it must not be negative. */
export const PER_CHANNEL = either(atLeast(0), listOf(atLeast(0)));

/**
 * Throws a RangeError, naming `op`, on a radius, a norm or an interval that makes no sense for samples (n, channels,
 * ...) of that shape.
 */
export function checkBall(op: string, { eps, norm = 'linf', clip = [0, 1] }: Ball, shape: readonly number[]): void {
  const channels = shape[1]!;
  for (const [name, v] of [
    ['eps', eps],
    ['clip[0]', clip?.[0]],
    ['clip[1]', clip?.[1]],
  ] as const) {
    if (Array.isArray(v) && v.length !== channels)
      throw new RangeError(
        `${op}: ${name} has ${v.length} entries, expected ${channels}, one for each channel of [${shape}]`,
      );
  }
  check(op, { eps, norm }, { eps: PER_CHANNEL, norm: oneOf('linf', 'l2') });
  if (norm === 'l2' && Array.isArray(eps))
    throw new RangeError(`${op}: eps is [${String(eps)}], expected one number for norm l2`);
  for (let c = 0; c < (isPerChannel(clip) ? channels : 1); c++) checkValue(`${op}: clip`, boxOf(clip, c), BOX);
}

const isPerChannel = (clip: Ball['clip']): boolean =>
  Boolean(clip && (typeof clip[0] !== 'number' || typeof clip[1] !== 'number'));

/** The number of channel c. */
export const at = (v: PerChannel, c: number): number => (typeof v === 'number' ? v : v[c]!);

/** The interval of channel c. */
export function boxOf(clip: Ball['clip'], c: number): readonly [number, number] | null {
  return clip ? [at(clip[0], c), at(clip[1], c)] : null;
}

/**
 * The place of the first value of samples (n, channels, ...) outside their interval, or -1, and the words for it in an
 * error.
 */
export function outsideOf(
  values: ArrayLike<number> & { subarray(start: number, end: number): ArrayLike<number> },
  shape: readonly number[],
  clip: Ball['clip'],
): { place: number; message: string } {
  if (!isPerChannel(clip)) return { place: firstOutside(values, boxOf(clip, 0)), message: outside(boxOf(clip, 0)) };
  const [channels, size] = [shape[1]!, sizeOf(shape.slice(2))];
  for (let start = 0; start < values.length; start += size) {
    const box = boxOf(clip, (start / size) % channels);
    const place = firstOutside(values.subarray(start, start + size), box);
    if (place >= 0) return { place: start + place, message: outside(box) };
  }
  return { place: -1, message: '' };
}

/**
 * The labels, read together with a flag. Throws a RangeError, naming `op`, unless all of x is finite and lies in
 * `clip`.
 */
export async function readInside(
  op: string,
  x: Tensor,
  labels: Tensor<'i32'>,
  { clip = [0, 1] }: Pick<Ball, 'clip'>,
): Promise<Int32Array> {
  if (x.size === 0) return labels.read();
  const [low, high] = clip ?? ([-LARGEST, LARGEST] as const);
  // A comparison with NaN may be true.
  const isInside = kept(() =>
    noGrad(() =>
      all(
        logicalAnd(isFinite(x), logicalAnd(greaterEqual(x, channelwise(low, x)), lessEqual(x, channelwise(high, x)))),
      ),
    ),
  );
  try {
    const [flag, own] = await x.gpu.read(
      [isInside, labels].map((t) => ({ storage: t.storage, offset: t.byteOffset, bytes: t.byteLength })),
    );
    if (new Uint32Array(flag!)[0]) return new Int32Array(own!);
  } finally {
    isInside.dispose();
  }
  const values = await x.read();
  const { place, message } = outsideOf(values, x.shape, clip);
  throw new RangeError(
    `${op}: x is ${values[place]} in row ${Math.floor(place / sizeOf(x.shape.slice(1)))}, ${message}`,
  );
}
