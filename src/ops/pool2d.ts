import kernel from '../../shaders/pool2d.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import { canMask, record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, type Tensor } from '../tensor/tensor.ts';
import { pairOf, type Pair } from './conv2d.ts';

/** Geometry of a pooling. */
export interface Pool2dOptions {
  /** Step between windows. Default: the kernel size. */
  stride?: Pair;
  /** Padding on each side, at most half of the kernel. Default: 0. */
  padding?: Pair;
}

function geometry(op: string, x: Tensor, kernelSize: Pair, { stride = kernelSize, padding = 0 }: Pool2dOptions) {
  expectDType(x, 'f32', `${op}: x`);
  const [batch, channels, height, width] = expectRank(x, 4, `${op}: x`) as [number, number, number, number];
  const [kh, kw] = pairOf(kernelSize, 1, `${op}: kernelSize`);
  const [strideH, strideW] = pairOf(stride, 1, `${op}: stride`);
  const [padH, padW] = pairOf(padding, 0, `${op}: padding`);
  if (padH > kh / 2 || padW > kw / 2) throw new ShapeError(`${op}: padding is [${padH},${padW}], expected at most half of the kernel [${kh},${kw}]`);
  const outH = Math.floor((height + 2 * padH - kh) / strideH) + 1;
  const outW = Math.floor((width + 2 * padW - kw) / strideW) + 1;
  if (outH < 1 || outW < 1) throw new ShapeError(`${op}: x has shape [${x.shape}], too small for a ${kh} x ${kw} window with padding [${padH},${padW}]`);
  const params = { planes: batch * channels, height, width, outH, outW, kh, kw, strideH, strideW, padH, padW };
  return { params, shape: [batch, channels, outH, outW] };
}

/** Largest element of each window; x: (batch, channels, height, width). The first of equals gets the gradient. */
export function maxPool2d(x: Tensor, kernelSize: Pair, options: Pool2dOptions = {}): Tensor {
  const { params, shape } = geometry('maxPool2d', x, kernelSize, options);
  const y = empty(shape, { gpu: x.gpu });
  const index = empty(shape, { dtype: 'u32', gpu: x.gpu });
  kernel.forwardMax(params, { x, y, index }, [y.size]);
  return record('maxPool2d', y, [x], (dy) => {
    const dx = empty(x.shape, { gpu: x.gpu });
    kernel.backwardMax(params, { x, dy, chosen: index, y: dx }, [dx.size], { MASK: Number(canMask(x)) });
    dx.isMasked = canMask(x);
    return [dx];
  });
}

/** Mean of each window; x: (batch, channels, height, width). `countIncludePad`: zeros of the padding count. Default: true. */
export function avgPool2d(x: Tensor, kernelSize: Pair, { countIncludePad = true, ...options }: Pool2dOptions & { countIncludePad?: boolean } = {}): Tensor {
  const { params, shape } = geometry('avgPool2d', x, kernelSize, options);
  const variant = { COUNT_PADDING: Number(countIncludePad) };
  const y = empty(shape, { gpu: x.gpu });
  kernel.forwardAverage(params, { x, y }, [y.size], variant);
  return record('avgPool2d', y, [x], (dy) => {
    const dx = empty(x.shape, { gpu: x.gpu });
    kernel.backwardAverage(params, { x, dy, y: dx }, [dx.size], { ...variant, MASK: Number(canMask(x)) });
    dx.isMasked = canMask(x);
    return [dx];
  });
}
