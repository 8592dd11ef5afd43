import { expectOptions } from '../check/options.ts';
import { pairOf, type Pair } from '../ops/conv2d.ts';
import {
  adaptiveAvgPool2d,
  avgPool2d,
  maxPool2d,
  type AvgPool2dOptions,
  type MaxPool2dOptions,
} from '../ops/pool2d.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Layer } from './layer.ts';

/** A pooling layer. */
export interface Pool2d extends Layer {
  readonly kind: 'MaxPool2d' | 'AvgPool2d';
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  /** (1, 1) for average pooling. */
  readonly dilation: readonly [number, number];
  readonly ceilMode: boolean;
  /** True for maximum pooling, where padding never wins anyway. */
  readonly countIncludePad: boolean;
}

type Options = MaxPool2dOptions & AvgPool2dOptions;

function pool(
  kind: Pool2d['kind'],
  op: (x: Tensor, kernelSize: Pair, options: Options) => Tensor,
  kernelSize: Pair,
  options: Options,
): Pool2d {
  const { stride = kernelSize, padding = 0, dilation = 1, ceilMode = false, countIncludePad = true } = options;
  const geometry = {
    kernelSize: pairOf(kernelSize, 1, `${kind}: kernelSize`),
    stride: pairOf(stride, 1, `${kind}: stride`),
    padding: pairOf(padding, 0, `${kind}: padding`),
    dilation: pairOf(dilation, 1, `${kind}: dilation`),
    ceilMode,
    countIncludePad,
  };
  const { stride: step, padding: pad } = geometry;
  const own = {
    stride: step,
    padding: pad,
    ceilMode,
    ...(kind === 'MaxPool2d' ? { dilation: geometry.dilation } : { countIncludePad }),
  };
  return { kind, ...geometry, specs: {}, params: {}, forward: (x) => op(x, geometry.kernelSize, own) };
}

/** Largest element of each window; x: (batch, channels, height, width). Default stride: the kernel size. */
export function MaxPool2d(kernelSize: Pair, options: MaxPool2dOptions = {}): Pool2d {
  expectOptions('MaxPool2d', options, ['stride', 'padding', 'ceilMode', 'dilation']);
  return pool('MaxPool2d', maxPool2d, kernelSize, options);
}

/** Mean of each window; x: (batch, channels, height, width). Default stride: the kernel size. */
export function AvgPool2d(kernelSize: Pair, options: AvgPool2dOptions = {}): Pool2d {
  expectOptions('AvgPool2d', options, ['stride', 'padding', 'ceilMode', 'countIncludePad']);
  return pool('AvgPool2d', avgPool2d, kernelSize, options);
}

/** Pooling to a fixed size. */
export interface AdaptiveAvgPool2d extends Layer {
  readonly kind: 'AdaptiveAvgPool2d';
  readonly outputSize: readonly [number, number];
}

/** Mean of each of outputSize even parts; x: (batch, channels, height, width). 1 is global average pooling. */
export function AdaptiveAvgPool2d(outputSize: Pair): AdaptiveAvgPool2d {
  const size = pairOf(outputSize, 1, 'AdaptiveAvgPool2d: outputSize');
  return {
    kind: 'AdaptiveAvgPool2d',
    outputSize: size,
    specs: {},
    params: {},
    forward: (x) => adaptiveAvgPool2d(x, size),
  };
}
