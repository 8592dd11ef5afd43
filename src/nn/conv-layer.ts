import { check, checkValue, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { conv2d, expectGroups, pairOf, type Pair } from '../ops/conv2d.ts';
import { PRECISION, type Precision } from '../ops/precision.ts';
import { uniformSpecs } from './init.ts';
import { paramOf, type Layer } from './layer.ts';

/** A 2-D convolution layer. */
export interface Conv2d extends Layer {
  readonly kind: 'Conv2d';
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number] | 'same';
  readonly dilation: readonly [number, number];
  readonly groups: number;
  readonly bias: boolean;
  /** What its product multiplies in every pass; undefined: as the pass says. */
  readonly precision?: Precision | undefined;
}

/** Options of {@link Conv2d}. */
export interface Conv2dLayerOptions {
  /** Default: 1. */
  stride?: Pair;
  /** Zeros on each side, or 'same': as many as keep height and width. Default: 0. */
  padding?: Pair | 'same';
  /** Distance between taps. Default: 1. */
  dilation?: Pair;
  /** Channels fall into this many groups that do not mix. Default: 1. */
  groups?: number;
  /** Default: true. */
  bias?: boolean;
  /** What the product multiplies, in evaluation too. Default: what the forward pass says, in `fit` its `precision`. */
  precision?: Precision;
}

/**
 * Convolution of x: (batch, inChannels, height, width) with `weight` (outChannels, inChannels / groups, kh, kw) and
 * `bias` (outChannels); both start uniform in +-1 / sqrt(inChannels / groups kh kw), PyTorch's default.
 */
export function Conv2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Pair,
  options: Conv2dLayerOptions = {},
): Conv2d {
  expectOptions('Conv2d', options, ['stride', 'padding', 'dilation', 'groups', 'bias', 'precision']);
  const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, precision: own } = options;
  if (own !== undefined) checkValue('Conv2d: precision', own, PRECISION);
  check('Conv2d', { inChannels, outChannels }, { inChannels: integer(1), outChannels: integer(1) });
  expectGroups('Conv2d', groups, 'inChannels', inChannels);
  expectGroups('Conv2d', groups, 'outChannels', outChannels);
  const [kh, kw] = pairOf(kernelSize, 1, 'Conv2d: kernelSize');
  const geometry = {
    stride: pairOf(stride, 1, 'Conv2d: stride'),
    padding: padding === 'same' ? padding : pairOf(padding, 0, 'Conv2d: padding'),
    dilation: pairOf(dilation, 1, 'Conv2d: dilation'),
    groups,
  };
  const layer: Conv2d = {
    kind: 'Conv2d',
    inChannels,
    outChannels,
    kernelSize: [kh, kw],
    ...geometry,
    bias,
    precision: own,
    params: {},
    fuses: ['relu'],
    specs: uniformSpecs([outChannels, inChannels / groups, kh, kw], bias),
    forward: (x, { activation, precision } = { training: false }) =>
      conv2d(x, paramOf(layer, 'weight'), bias ? paramOf(layer, 'bias') : null, {
        ...geometry,
        activation,
        precision: own ?? precision,
      }),
  };
  return layer;
}
