import kernel from '../../shaders/upsample.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, type Tensor } from '../tensor/tensor.ts';
import { pairOf, type Pair } from './conv2d.ts';

/** The new size: one of the two. */
export interface UpsampleOptions {
  /** How many times height and width are repeated, integers. */
  scale?: Pair;
  /** Height and width of the result; smaller ones take a subset. */
  size?: Pair;
}

/** Height and width of image and result, for all planes; down / up = size / out in lowest terms. */
interface Resampling {
  readonly planes: number;
  readonly size: readonly number[];
  readonly out: readonly number[];
  readonly down: readonly number[];
  readonly up: readonly number[];
}

/**
 * Nearest-neighbour resampling of x (batch, channels, height, width), as PyTorch's interpolate in mode 'nearest': row i
 * of the result is row floor(i height / outH) of x.
 */
export function upsampleNearest(x: Tensor, options: UpsampleOptions): Tensor {
  expectOptions('upsampleNearest', options, ['scale', 'size']);
  const { scale, size } = options;
  const [batch, channels, height, width] = expectRank(x, 4, 'upsampleNearest: x') as [number, number, number, number];
  expectDType(x, 'f32', 'upsampleNearest: x');
  if ((scale === undefined) === (size === undefined))
    throw new ShapeError(
      `upsampleNearest: ${scale === undefined ? 'neither' : 'both'} of scale and size given, expected one`,
    );
  const factor = scale === undefined ? null : pairOf(scale, 1, 'upsampleNearest: scale');
  const out = factor ? [height * factor[0], width * factor[1]] : pairOf(size!, 1, 'upsampleNearest: size');
  if (height * width === 0 && out[0]! * out[1]! > 0)
    throw new ShapeError(`upsampleNearest: x has shape [${x.shape}], expected height and width of at least 1`);
  const common = [gcd(height, out[0]!), gcd(width, out[1]!)];
  const down = [height, width].map((d, a) => d / common[a]!);
  const up = out.map((d, a) => d / common[a]!);
  // The kernels find places by products in 32 bits.
  if (up.some((d, a) => (out[a]! + 1) * down[a]! + d >= 2 ** 32))
    throw new ShapeError(
      `upsampleNearest: x has shape [${x.shape}] and size is [${out}], too large for a ratio of ${up} to ${down}`,
    );
  return resample(x, [batch, channels], { planes: batch * channels, size: [height, width], out, down, up });
}

/** Greatest common divisor, 1 for two zeros. */
function gcd(a: number, b: number): number {
  return b === 0 ? a || 1 : gcd(b, a % b);
}

function resample(x: Tensor, lead: readonly number[], r: Resampling): Tensor {
  const y = empty([...lead, ...r.out], { gpu: x.gpu });
  kernel.forward(r, { x, y }, [y.size]);
  return record('upsampleNearest', y, [x], { gradient: (dy) => [gathered(dy, lead, r)] });
}

/** The transpose of {@link resample}. */
function gathered(dy: Tensor, lead: readonly number[], r: Resampling): Tensor {
  const dx = empty([...lead, ...r.size], { gpu: dy.gpu });
  kernel.backward(r, { x: dy, y: dx }, [dx.size]);
  return record('upsampleNearest (gradient)', dx, [dy], { gradient: (d) => [resample(d, lead, r)] });
}
