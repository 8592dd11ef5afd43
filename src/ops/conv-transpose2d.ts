import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { expectRank, type Tensor } from '../tensor/tensor.ts';
import { expectGroups, expectOperands, pairOf, spread, type Pair } from './conv2d.ts';

/** Geometry of a transposed convolution: that of the convolution whose input gradient it is. */
export interface ConvTranspose2dOptions {
  /** Step between the places where the kernel is laid down. Default: 1. */
  stride?: Pair;
  /** Rows and columns taken off each side of the result. Default: 0. */
  padding?: Pair;
  /** Rows and columns added below and to the right, less than stride or dilation. Default: 0. */
  outputPadding?: Pair;
  /** Distance between taps. Default: 1. */
  dilation?: Pair;
  /** Channels and filters fall into this many groups that do not mix. Default: 1. */
  groups?: number;
}

/**
 * Transposed convolution as PyTorch's conv_transpose2d: x (batch, channels, height, width), w (channels, filters /
 * groups, kh, kw), b (filters) or null; y (batch, filters, outH, outW) with outH = (height - 1) stride - 2 padding +
 * dilation (kh - 1) + outputPadding + 1. One kernel, the input gradient of conv2d; gradients to any order.
 */
export function convTranspose2d(
  x: Tensor,
  w: Tensor,
  b: Tensor | null = null,
  options: ConvTranspose2dOptions = {},
): Tensor {
  expectOptions('convTranspose2d', options, ['stride', 'padding', 'outputPadding', 'dilation', 'groups']);
  const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
  const [batch, channels, height, width] = expectRank(x, 4, 'convTranspose2d: x') as [number, number, number, number];
  const [wChannels, each, kh, kw] = expectRank(w, 4, 'convTranspose2d: weight') as [number, number, number, number];
  if (channels !== wChannels)
    throw new ShapeError(
      `convTranspose2d: x has shape [${x.shape}] with ${channels} channels, weight [${w.shape}] takes ${wChannels}`,
    );
  expectGroups('convTranspose2d', groups, 'channels', channels);
  const filters = each * groups;
  expectOperands('convTranspose2d', x, w, b, filters);
  const [strideH, strideW] = pairOf(stride, 1, 'convTranspose2d: stride');
  const [padH, padW] = pairOf(padding, 0, 'convTranspose2d: padding');
  const [extraH, extraW] = pairOf(outputPadding, 0, 'convTranspose2d: outputPadding');
  const [dilH, dilW] = pairOf(dilation, 1, 'convTranspose2d: dilation');
  if (extraH >= Math.max(strideH, dilH) || extraW >= Math.max(strideW, dilW)) {
    throw new ShapeError(
      `convTranspose2d: outputPadding is [${extraH},${extraW}], expected less than stride ` +
        `[${strideH},${strideW}] or dilation [${dilH},${dilW}]`,
    );
  }
  const outH = (height - 1) * strideH - 2 * padH + dilH * (kh - 1) + extraH + 1;
  const outW = (width - 1) * strideW - 2 * padW + dilW * (kw - 1) + extraW + 1;
  if (outH < 1 || outW < 1)
    throw new ShapeError(
      `convTranspose2d: x has shape [${x.shape}], too small for padding [${padH},${padW}]: the result would ` +
        `be ${outH} x ${outW}`,
    );
  const geometry = {
    batch,
    channels: filters,
    height: outH,
    width: outW,
    filters: channels,
    outH: height,
    outW: width,
    groups,
    kh,
    kw,
    strideH,
    strideW,
    padH,
    padW,
    dilH,
    dilW,
  };
  return spread('convTranspose2d', geometry, x, w, b);
}
