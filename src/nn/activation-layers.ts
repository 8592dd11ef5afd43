import { expectOptions } from '../check/options.ts';
import * as ops from '../ops/activations.ts';
import { flatten } from '../ops/reshape.ts';
import { tanh } from '../ops/unary.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Layer } from './layer.ts';

/** An elementwise function without parameters or options. */
export interface Activation<K extends string = string> extends Layer {
  readonly kind: K;
}

function activation<K extends string>(kind: K, apply: (x: Tensor) => Tensor): Activation<K> {
  return { kind, specs: {}, params: {}, forward: (x) => apply(x) };
}

/** max(x, 0). Fused into the convolution, linear or batch norm layer before it. */
export type ReLU = Activation<'ReLU'>;

/** A relu layer. */
export function ReLU(): ReLU {
  return activation('ReLU', ops.relu);
}

/** x where positive, else negativeSlope x. */
export interface LeakyReLU extends Layer {
  readonly kind: 'LeakyReLU';
  readonly negativeSlope: number;
}

/** A leaky relu layer. Default slope: 0.01. */
export function LeakyReLU(options: { negativeSlope?: number } = {}): LeakyReLU {
  expectOptions('LeakyReLU', options, ['negativeSlope']);
  const { negativeSlope = 0.01 } = options;
  return { ...activation('LeakyReLU', (x) => ops.leakyRelu(x, { negativeSlope })), negativeSlope };
}

/** x where positive, else alpha (e^x - 1). */
export interface ELU extends Layer {
  readonly kind: 'ELU';
  readonly alpha: number;
}

/** An elu layer. Default alpha: 1. */
export function ELU(options: { alpha?: number } = {}): ELU {
  expectOptions('ELU', options, ['alpha']);
  const { alpha = 1 } = options;
  return { ...activation('ELU', (x) => ops.elu(x, { alpha })), alpha };
}

/** x times the normal distribution function of x. */
export interface GELU extends Layer {
  readonly kind: 'GELU';
  readonly approximate: 'none' | 'tanh';
}

/** A gelu layer. Default: exact; 'tanh' is PyTorch's approximation. */
export function GELU(options: { approximate?: 'none' | 'tanh' } = {}): GELU {
  expectOptions('GELU', options, ['approximate']);
  const { approximate = 'none' } = options;
  return { ...activation('GELU', (x) => ops.gelu(x, { approximate })), approximate };
}

/** A layer of x sigmoid(x). */
export function SiLU(): Activation<'SiLU'> {
  return activation('SiLU', ops.silu);
}

/** A layer of 1 / (1 + e^-x). */
export function Sigmoid(): Activation<'Sigmoid'> {
  return activation('Sigmoid', ops.sigmoid);
}

/** A hyperbolic tangent layer. */
export function Tanh(): Activation<'Tanh'> {
  return activation('Tanh', tanh);
}

/** A layer of log(1 + e^x). */
export function Softplus(): Activation<'Softplus'> {
  return activation('Softplus', ops.softplus);
}

/** Joins all axes but the first. */
export type Flatten = Activation<'Flatten'>;

/** A flatten layer: (batch, ...) to (batch, features), without a copy. */
export function Flatten(): Flatten {
  return activation('Flatten', (x) => flatten(x));
}
