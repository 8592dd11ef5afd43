import kernel from '../../shaders/conv2d.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import { tileFor, tileVariant } from '../gpu/tiles.ts';
import { canMask, gradientFor, isRecording, record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, expectShape, type Tensor } from '../tensor/tensor.ts';
import { unmasked } from './matmul.ts';

/** One number for both axes, or [height, width]. */
export type Pair = number | readonly [number, number];

/** Geometry of a convolution. */
export interface Conv2dOptions {
  /** Step between windows. Default: 1. */
  stride?: Pair;
  /** Zeros added on each side. Default: 0. */
  padding?: Pair;
  /** Distance between taps. Default: 1. */
  dilation?: Pair;
  /** Fused into the kernel. Default: 'none'. */
  activation?: 'none' | 'relu';
}

/** A pair of integers of at least `least`, or an error that names the option. */
export function pairOf(value: Pair, least: number, what: string): readonly [number, number] {
  const pair = typeof value === 'number' ? ([value, value] as const) : value;
  if (pair.length !== 2 || pair.some((v) => !Number.isInteger(v) || v < least)) throw new ShapeError(`${what} is [${pair}], expected integers of at least ${least}`);
  return pair;
}

/**
 * y = activation(x * w + b) as PyTorch's conv2d: x (batch, channels, height, width), w (filters, channels, kh, kw),
 * b (filters) or null; y (batch, filters, outH, outW) with outH = floor((height + 2 padding - dilation (kh - 1) - 1) / stride) + 1.
 */
export function conv2d(x: Tensor, w: Tensor, b: Tensor | null = null, { stride = 1, padding = 0, dilation = 1, activation = 'none' }: Conv2dOptions = {}): Tensor {
  expectDType(x, 'f32', 'conv2d: x');
  const [batch, channels, height, width] = expectRank(x, 4, 'conv2d: x') as [number, number, number, number];
  const [filters, wChannels, kh, kw] = expectRank(w, 4, 'conv2d: weight') as [number, number, number, number];
  if (channels !== wChannels) throw new ShapeError(`conv2d: x has shape [${x.shape}] with ${channels} channels, weight [${w.shape}] takes ${wChannels}`);
  expectDType(w, 'f32', 'conv2d: weight');
  if (b) {
    expectDType(b, 'f32', 'conv2d: bias');
    expectShape(b, [filters], 'conv2d: bias');
  }
  const [strideH, strideW] = pairOf(stride, 1, 'conv2d: stride');
  const [padH, padW] = pairOf(padding, 0, 'conv2d: padding');
  const [dilH, dilW] = pairOf(dilation, 1, 'conv2d: dilation');
  const outH = Math.floor((height + 2 * padH - dilH * (kh - 1) - 1) / strideH) + 1;
  const outW = Math.floor((width + 2 * padW - dilW * (kw - 1) - 1) / strideW) + 1;
  if (outH < 1 || outW < 1) throw new ShapeError(`conv2d: x has shape [${x.shape}], too small for a ${kh} x ${kw} kernel with padding [${padH},${padW}] and dilation [${dilH},${dilW}]`);
  const gpu = x.gpu;
  const software = gpu.adapter.kind === 'software';
  const shape = { batch, channels, height, width, filters, outH, outW, kh, kw, strideH, strideW, padH, padW, dilH, dilW, chunk: 0, parts: 1, ...tapsOf(strideH, dilH, 'H'), ...tapsOf(strideW, dilW, 'W') };
  const PADDED = Number(padH > 0 || padW > 0);
  const terms = channels * kh * kw;
  const columns = batch * outH * outW;

  const y = empty([batch, filters, outH, outW], { gpu });
  const tile = tileFor(gpu, filters, columns, terms);
  kernel.forward(shape, { x, w, bias: b ?? w, y }, [Math.ceil(columns / tile.n), Math.ceil(filters / tile.m)], {
    ...tileVariant(tile),
    RELU: Number(activation === 'relu'),
    BIAS: Number(b !== null),
    PADDED,
  });
  y.maskable = activation === 'relu';

  return record('conv2d', y, b ? [x, w, b] : [x, w], (dy) => {
    const dz = activation === 'relu' ? unmasked(dy, y) : dy;
    let dw: Tensor | null = null;
    let db: Tensor | null = null;
    if (w.tracksGrad || b?.tracksGrad) {
      const wanted = Math.min(256, Math.ceil((software ? 24 : 4096) / (Math.ceil(filters / 16) * Math.ceil((terms + 1) / 16))));
      const chunk = Math.max(64, Math.ceil(columns / wanted / 4) * 4);
      const parts = Math.max(1, Math.ceil(columns / chunk));
      const partial = empty([parts, filters, terms + 1], { gpu });
      const t = tileFor(gpu, filters, terms + 1, columns, parts);
      const split = { ...shape, chunk, parts };
      kernel.backwardWeight(split, { x, dy: dz, y: partial }, [Math.ceil((terms + 1) / t.n), Math.ceil(filters / t.m), parts], { ...tileVariant(t), PADDED });
      dw = gradientFor(w);
      if (b) db = gradientFor(b);
      const unused = b ? null : empty([1], { gpu });
      kernel.combineWeight(split, { x: partial, y: dw, db: (db ?? unused)! }, [filters * (terms + 1)], { BIAS: Number(b !== null) });
      partial.dispose();
      unused?.dispose();
    }
    let dx: Tensor | null = null;
    if (x.tracksGrad) {
      dx = empty(x.shape, { gpu });
      const q = batch * Math.ceil(height / strideH) * Math.ceil(width / strideW);
      const t = tileFor(gpu, channels, q, (filters * kh * kw) / (strideH * strideW));
      kernel.backwardInput(shape, { x, w, dy: dz, y: dx }, [Math.ceil(q / t.n), Math.ceil(channels / t.m), strideH * strideW], { ...tileVariant(t), MASK: Number(canMask(x)) });
      dx.isMasked = canMask(x);
    }
    if (dz !== dy && !isRecording()) dz.dispose();
    return b ? [dx, dw, db] : [dx, dw];
  });
}

/** Taps of one phase lie stride / g apart, and from one to the next the output position falls by dilation / g; g = gcd. */
function tapsOf<A extends 'H' | 'W'>(stride: number, dilation: number, axis: A): Record<`tap${A}` | `hop${A}`, number> {
  let [g, rest] = [stride, dilation];
  while (rest) [g, rest] = [rest, g % rest];
  return { [`tap${axis}`]: stride / g, [`hop${axis}`]: dilation / g } as Record<`tap${A}` | `hop${A}`, number>;
}
