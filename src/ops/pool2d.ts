import kernel from '../../shaders/pool2d.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { record, type Rule } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, type Tensor } from '../tensor/tensor.ts';
import { pairOf, type Pair } from './conv2d.ts';

/** Geometry of a pooling. */
export interface Pool2dOptions {
  /** Step between windows. Default: the kernel size. */
  stride?: Pair;
  /** Padding on each side, at most half of the kernel. Default: 0. */
  padding?: Pair;
  /** The last window may reach beyond the padding, as long as it starts before. Default: false. */
  ceilMode?: boolean;
}

/** Geometry of a maximum pooling. */
export interface MaxPool2dOptions extends Pool2dOptions {
  /** Distance between the taps of a window. Default: 1. */
  dilation?: Pair;
}

/** Geometry of an average pooling. */
export interface AvgPool2dOptions extends Pool2dOptions {
  /** Zeros of the padding count. Default: true. */
  countIncludePad?: boolean;
}

/** Windows over x, and the shape of what they give. */
interface Windows {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly params: Parameters<typeof kernel.forwardAverage>[0];
  readonly variant: Parameters<typeof kernel.forwardAverage>[3];
  /** Each element lies in exactly one window. */
  readonly isTiled: boolean;
}

function windows(
  op: string,
  x: Tensor,
  kernelSize: Pair,
  {
    stride = kernelSize,
    padding = 0,
    dilation = 1,
    ceilMode = false,
    countIncludePad = true,
  }: MaxPool2dOptions & AvgPool2dOptions,
): Windows {
  const [batch, channels, ...size] = expectRank(x, 4, `${op}: x`) as [number, number, number, number];
  expectDType(x, 'f32', `${op}: x`);
  const taps = pairOf(kernelSize, 1, `${op}: kernelSize`);
  const step = pairOf(stride, 1, `${op}: stride`);
  const pad = pairOf(padding, 0, `${op}: padding`);
  const gap = pairOf(dilation, 1, `${op}: dilation`);
  if (pad[0] > taps[0] / 2 || pad[1] > taps[1] / 2)
    throw new ShapeError(`${op}: padding is [${pad}], expected at most half of the kernel [${taps}]`);
  const out = [0, 1].map((a) => {
    const room = size[a]! + 2 * pad[a]! - gap[a]! * (taps[a]! - 1) - 1;
    if (!ceilMode) return Math.floor(room / step[a]!) + 1;
    const last = Math.ceil(room / step[a]!);
    return last * step[a]! < size[a]! + pad[a]! ? last + 1 : last;
  });
  if (out.some((d) => d < 1))
    throw new ShapeError(
      `${op}: x has shape [${x.shape}], too small for a ${taps[0]} x ${taps[1]} window with padding ` +
        `[${pad}]${gap[0] * gap[1] > 1 ? ` and dilation [${gap}]` : ''}`,
    );
  if ([0, 1].some((a) => pad[a]! > 0 && size[a]! < gap[a]!))
    throw new ShapeError(
      `${op}: x has shape [${x.shape}], smaller than dilation [${gap}], so that a window may hold nothing but padding`,
    );
  const isPlain = (a: 0 | 1): boolean => pad[a] === 0 && gap[a] === 1 && (out[a]! - 1) * step[a] + taps[a] <= size[a]!;
  const isInside = isPlain(0) && isPlain(1);
  return {
    x: x.shape,
    y: [batch, channels, ...out],
    params: { planes: batch * channels, size, out, kernel: taps, stride: step, pad, dilation: gap },
    variant: { COUNT_PADDING: Number(countIncludePad), INSIDE: Number(isInside) },
    isTiled: isInside && [0, 1].every((a) => taps[a] === step[a] && out[a]! * step[a]! === size[a]),
  };
}

function evenWindows(op: string, x: Tensor, outputSize: Pair): Windows {
  const [batch, channels, ...size] = expectRank(x, 4, `${op}: x`) as [number, number, number, number];
  expectDType(x, 'f32', `${op}: x`);
  const out = pairOf(outputSize, 1, `${op}: outputSize`);
  if (size.includes(0))
    throw new ShapeError(`${op}: x has shape [${x.shape}], expected height and width of at least 1`);
  // The kernels find parts by products in 32 bits.
  if (size.some((d, a) => (d + 1) * (out[a]! + 1) >= 2 ** 32))
    throw new ShapeError(`${op}: x has shape [${x.shape}] and outputSize is [${out}], too large together`);
  const one = [1, 1];
  return {
    x: x.shape,
    y: [batch, channels, ...out],
    params: { planes: batch * channels, size, out, kernel: one, stride: one, pad: [0, 0], dilation: one },
    variant: { ADAPTIVE: 1 },
    isTiled: false,
  };
}

/**
 * Largest element of each window; x: (batch, channels, height, width). The first of equals gets the gradient; NaN is
 * the largest, and of several the last gets it, as in PyTorch.
 */
export function maxPool2d(x: Tensor, kernelSize: Pair, options: MaxPool2dOptions = {}): Tensor {
  expectOptions('maxPool2d', options, ['stride', 'padding', 'ceilMode', 'dilation']);
  return largest('maxPool2d', x, windows('maxPool2d', x, kernelSize, options));
}

/** Mean of each window; x: (batch, channels, height, width). */
export function avgPool2d(x: Tensor, kernelSize: Pair, options: AvgPool2dOptions = {}): Tensor {
  expectOptions('avgPool2d', options, ['stride', 'padding', 'ceilMode', 'countIncludePad']);
  return average('avgPool2d', x, windows('avgPool2d', x, kernelSize, { ...options, dilation: 1 }));
}

/**
 * Mean of each of outputSize even parts of x: (batch, channels, height, width). Part i of an axis of length n goes from
 * floor(i n / outputSize) to ceil((i + 1) n / outputSize), as in PyTorch.
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: Pair): Tensor {
  return average('adaptiveAvgPool2d', x, evenWindows('adaptiveAvgPool2d', x, outputSize));
}

/**
 * Largest element of each of outputSize even parts of x, cut as by {@link adaptiveAvgPool2d}; the first of equals gets
 * the gradient.
 */
export function adaptiveMaxPool2d(x: Tensor, outputSize: Pair): Tensor {
  return largest('adaptiveMaxPool2d', x, evenWindows('adaptiveMaxPool2d', x, outputSize));
}

/** Mean of each channel; x: (batch, channels, height, width) to (batch, channels, 1, 1). */
export function globalAvgPool2d(x: Tensor): Tensor {
  return average('globalAvgPool2d', x, evenWindows('globalAvgPool2d', x, 1));
}

/** Largest element of each channel; x: (batch, channels, height, width) to (batch, channels, 1, 1). */
export function globalMaxPool2d(x: Tensor): Tensor {
  return largest('globalMaxPool2d', x, evenWindows('globalMaxPool2d', x, 1));
}

// Both are linear in x once the maxima are chosen: each one's gradient and its transpose are the gradients of each
// other.

function average(op: string, x: Tensor, w: Windows): Tensor {
  const y = empty(w.y, { gpu: x.gpu });
  kernel.forwardAverage(w.params, { x, y }, [y.size], w.variant);
  const rule = ruleOf(op, x, w, (d) => average(op, d, w));
  return record(op, y, [x], rule);
}

function largest(op: string, x: Tensor, w: Windows): Tensor {
  const y = empty(w.y, { gpu: x.gpu });
  const chosen = empty(w.y, { dtype: 'u32', gpu: x.gpu });
  kernel.forwardMax(w.params, { x, y, index: chosen }, [y.size], w.variant);
  const rule = ruleOf(op, x, w, (d) => picked(op, d, chosen, w), chosen);
  record(op, y, [x], rule);
  if (!y.tracksGrad) chosen.dispose();
  return y;
}

/** y[window] = x[chosen[window]]. */
function picked(op: string, x: Tensor, chosen: Tensor<'u32'>, w: Windows): Tensor {
  const y = empty(w.y, { gpu: x.gpu });
  kernel.pick(w.params, { x, chosen, y }, [y.size]);
  const rule = ruleOf(op, x, w, (d) => picked(op, d, chosen, w), chosen);
  return record(op, y, [x], rule);
}

/** dy goes back to the elements it came from; `transposed` is the transpose of that. */
function ruleOf(op: string, x: Tensor, w: Windows, transposed: (d: Tensor) => Tensor, chosen?: Tensor<'u32'>): Rule {
  const returned = (dy: Tensor, mask: boolean): Tensor => {
    const dx = empty(w.x, { gpu: dy.gpu });
    const variant = { ...w.variant, MAX: Number(chosen !== undefined), MASK: Number(mask) };
    if (w.isTiled) kernel.backwardTiled(w.params, { x, dy, chosen: chosen ?? dy, y: dx }, [dy.size], variant);
    else kernel.backward(w.params, { x, dy, chosen: chosen ?? dy, y: dx }, [dx.size], variant);
    return dx;
  };
  return {
    gradient: (dy) => [record(`${op} (gradient)`, returned(dy, false), [dy], { gradient: (d) => [transposed(d)] })],
    fused: (dy, into) => [returned(dy, into.masks(0))],
  };
}
