import kernel from '../../shaders/unfold.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, type Tensor } from '../tensor/tensor.ts';
import { pairOf, type Pair } from './conv2d.ts';

/** Geometry of patches. */
export interface UnfoldOptions {
  /** Step between patches. Default: 1. */
  stride?: Pair;
  /** Zeros around the image. Default: 0. */
  padding?: Pair;
  /** Distance between the elements of a patch. Default: 1. */
  dilation?: Pair;
}

/** Shapes of image and columns, and what the kernels take. */
interface Patches {
  readonly image: readonly number[];
  readonly columns: readonly number[];
  readonly params: Parameters<typeof kernel.fold>[0];
}

function patches(
  op: string,
  [batch, channels, ...size]: readonly [number, number, number, number],
  kernelSize: Pair,
  { stride = 1, padding = 0, dilation = 1 }: UnfoldOptions,
): Patches {
  const taps = pairOf(kernelSize, 1, `${op}: kernelSize`);
  const step = pairOf(stride, 1, `${op}: stride`);
  const pad = pairOf(padding, 0, `${op}: padding`);
  const gap = pairOf(dilation, 1, `${op}: dilation`);
  const out = [0, 1].map((a) => Math.floor((size[a]! + 2 * pad[a]! - gap[a]! * (taps[a]! - 1) - 1) / step[a]!) + 1);
  if (out.some((d) => d < 1))
    throw new ShapeError(
      `${op}: an image of ${size[0]} x ${size[1]} is too small for a ${taps[0]} x ${taps[1]} patch with ` +
        `padding [${pad}] and dilation [${gap}]`,
    );
  return {
    image: [batch, channels, ...size],
    columns: [batch, channels * taps[0] * taps[1], out[0]! * out[1]!],
    params: { planes: batch * channels, size, out, kernel: taps, stride: step, pad, dilation: gap },
  };
}

/**
 * Patches of x as columns, as PyTorch's unfold: x (batch, channels, height, width) to (batch, channels kh kw, patches),
 * a row for each (channel, row, column) of the patch, patches in row-major order.
 */
export function unfold(x: Tensor, kernelSize: Pair, options: UnfoldOptions = {}): Tensor {
  expectOptions('unfold', options, ['stride', 'padding', 'dilation']);
  const shape = expectRank(x, 4, 'unfold: x') as [number, number, number, number];
  expectDType(x, 'f32', 'unfold: x');
  return toColumns(x, patches('unfold', shape, kernelSize, options));
}

/**
 * The transpose of {@link unfold}: each column of x (batch, channels kh kw, patches) added to its place in an image of
 * `outputSize`, (batch, channels, height, width), as PyTorch's fold.
 */
export function fold(x: Tensor, outputSize: Pair, kernelSize: Pair, options: UnfoldOptions = {}): Tensor {
  expectOptions('fold', options, ['stride', 'padding', 'dilation']);
  const [batch, rows, count] = expectRank(x, 3, 'fold: x') as [number, number, number];
  expectDType(x, 'f32', 'fold: x');
  const [height, width] = pairOf(outputSize, 1, 'fold: outputSize');
  const [kh, kw] = pairOf(kernelSize, 1, 'fold: kernelSize');
  if (rows % (kh * kw) !== 0)
    throw new ShapeError(
      `fold: x has shape [${x.shape}] with ${rows} rows, expected a multiple of the ${kh * kw} elements of a patch`,
    );
  const p = patches('fold', [batch, rows / (kh * kw), height, width], kernelSize, options);
  if (p.columns[2] !== count)
    throw new ShapeError(
      `fold: x has shape [${x.shape}] with ${count} patches, an image of ${height} x ${width} has ${p.columns[2]}`,
    );
  return toImage(x, p);
}

function toColumns(x: Tensor, p: Patches): Tensor {
  const y = empty(p.columns, { gpu: x.gpu });
  kernel.unfold(p.params, { x, y }, [y.size]);
  return record('unfold', y, [x], { gradient: (dy) => [toImage(dy, p)] });
}

function toImage(x: Tensor, p: Patches): Tensor {
  const y = empty(p.image, { gpu: x.gpu });
  kernel.fold(p.params, { x, y }, [y.size]);
  return record('fold', y, [x], { gradient: (dy) => [toColumns(dy, p)] });
}
