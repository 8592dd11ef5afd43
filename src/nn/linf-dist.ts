import { between, check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { pairOf, type Pair } from '../ops/conv2d.ts';
import { add } from '../ops/binary.ts';
import { lpDistance, lpDistance2d } from '../ops/lp-distance.ts';
import { meanShift } from '../ops/mean-shift.ts';
import { reshape } from '../ops/reshape.ts';
import { neg } from '../ops/unary.ts';
import { hostNormal } from '../random/random.ts';
import { unscoped } from '../tensor/scope.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Gpu } from '../gpu/device.ts';
import { bufferOf, paramOf, type Layer, type ParameterSpec } from './layer.ts';

/**
 * The power p of l_p-distance layers, shared by those of a net. A finite p lies in device memory, so that captured
 * steps follow it; powers of two up to 1024, which need no pow, and infinity are computations of their own, told apart
 * by `graph`: what was captured under another graph must be captured anew, as `fit` does.
 */
export class DistancePower {
  #value: number;
  #isChosen = false;
  readonly #tensors = new Map<Gpu, Tensor>();

  /** Default: Infinity. */
  constructor(value = Infinity) {
    this.#value = expectPower(value);
  }

  get value(): number {
    return this.#value;
  }

  /** Which computation the layers run now. */
  get graph(): string {
    return isDoubling(this.#value) ? String(this.#value) : 'p';
  }

  /** Changes p for every layer that shares it. Throws RangeError unless p >= 1. */
  set(value: number): void {
    this.#value = expectPower(value);
    this.#isChosen = true;
    if (!isDoubling(value)) for (const t of this.#tensors.values()) t.write([value]);
  }

  /**
   * What the distance ops take as p. Throws in training at an infinity that nobody has set: gradients with one entry
   * train badly.
   */
  operand(gpu: Gpu, { training }: { training: boolean } = { training: false }): number | Tensor {
    if (training && this.#value === Infinity && !this.#isChosen) {
      throw new RangeError(
        'DistancePower: p is Infinity in training, expected a finite p and linfSchedule(), or ' +
          'power.set(Infinity) before',
      );
    }
    if (isDoubling(this.#value)) return this.#value;
    let t = this.#tensors.get(gpu);
    if (!t) {
      t = unscoped(() => tensor([this.#value], { gpu }));
      this.#tensors.set(gpu, t);
    }
    return t;
  }

  dispose(): void {
    for (const t of this.#tensors.values()) t.dispose();
    this.#tensors.clear();
  }
}

/** A power that the ops take as a number: 2, 4, ..., 1024 or Infinity. */
function isDoubling(p: number): boolean {
  return p === Infinity || (p >= 2 && p <= 1024 && Number.isInteger(Math.log2(p)));
}

function expectPower(value: number): number {
  check('DistancePower', { p: value }, between(1, Infinity));
  return value;
}

/** Options of the distance layers. */
export interface LinfDistOptions {
  /** Default: infinity. */
  power?: DistancePower;
  /**
   * Weight -identity of output i to input i mod in (of a convolution: to the middle of channel i mod in), where there
   * are no more inputs (channels) than outputs: 10 in the authors' code. Default: none.
   */
  identity?: number;
}

/**
 * Weights (out, in) or (out, in, kh, kw) of a distance layer from N(0, 1), with -identity in the middle of input o mod
 * in of output o where in <= out.
 */
export function distanceSpec(shape: readonly number[], identity: number): ParameterSpec {
  const [out, inputs, kh = 1, kw = 1] = shape as [number, number, number?, number?];
  const taps = kh * kw;
  const middle = Math.floor(kh / 2) * kw + Math.floor(kw / 2);
  return {
    shape,
    init: (key) => {
      const w = hostNormal(out, inputs * taps, key);
      if (identity !== 0 && inputs <= out)
        for (let o = 0; o < out; o++) w[(o * inputs + (o % inputs)) * taps + middle] = -identity;
      return w;
    },
  };
}

/** A fully connected l_infinity-distance layer. */
export interface LinfDistLinear extends Layer {
  readonly kind: 'LinfDistLinear';
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly power: DistancePower;
}

/**
 * y_o = ||x - w_o||_p, x: (batch, inFeatures), `weight` (outFeatures, inFeatures) from N(0, 1). At p = infinity it is
 * 1-Lipschitz in the l_infinity norm for any weights. Zhang, Cai, Lu, He and Wang, ICML 2021.
 */
export function LinfDistLinear(inFeatures: number, outFeatures: number, options: LinfDistOptions = {}): LinfDistLinear {
  expectOptions('LinfDistLinear', options, ['power', 'identity']);
  const { power = new DistancePower(), identity = 0 } = options;
  check('LinfDistLinear', { inFeatures, outFeatures }, { inFeatures: integer(1), outFeatures: integer(1) });
  const layer: LinfDistLinear = {
    kind: 'LinfDistLinear',
    inFeatures,
    outFeatures,
    power,
    params: {},
    specs: { weight: distanceSpec([outFeatures, inFeatures], identity) },
    get graph() {
      return power.graph;
    },
    forward: (x, context) => lpDistance(x, paramOf(layer, 'weight'), null, { p: power.operand(x.gpu, context) }),
  };
  return layer;
}

/** An l_infinity-distance layer over patches of an image. */
export interface LinfDistConv2d extends Layer {
  readonly kind: 'LinfDistConv2d';
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly power: DistancePower;
}

/**
 * {@link LinfDistLinear} of every patch; x: (batch, inChannels, height, width). The zeros of the padding enter the
 * distance. Defaults: stride 1, padding 0.
 */
export function LinfDistConv2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Pair,
  options: LinfDistOptions & { stride?: Pair; padding?: Pair } = {},
): LinfDistConv2d {
  expectOptions('LinfDistConv2d', options, ['stride', 'padding', 'power', 'identity']);
  const { stride = 1, padding = 0, power = new DistancePower(), identity = 0 } = options;
  check('LinfDistConv2d', { inChannels, outChannels }, { inChannels: integer(1), outChannels: integer(1) });
  const [kh, kw] = pairOf(kernelSize, 1, 'LinfDistConv2d: kernelSize');
  const geometry = {
    stride: pairOf(stride, 1, 'LinfDistConv2d: stride'),
    padding: pairOf(padding, 0, 'LinfDistConv2d: padding'),
  };
  const layer: LinfDistConv2d = {
    kind: 'LinfDistConv2d',
    inChannels,
    outChannels,
    kernelSize: [kh, kw],
    ...geometry,
    power,
    params: {},
    specs: { weight: distanceSpec([outChannels, inChannels, kh, kw], identity) },
    get graph() {
      return power.graph;
    },
    forward: (x, context) =>
      lpDistance2d(x, paramOf(layer, 'weight'), null, { p: power.operand(x.gpu, context), ...geometry }),
  };
  return layer;
}

/** Subtraction of the mean of each channel. */
export interface MeanShift extends Layer {
  readonly kind: 'MeanShift';
  readonly features: number;
  readonly momentum: number;
  /** Filled by the model: running_mean. */
  readonly buffers: Record<string, Tensor | Tensor<'i32'>>;
}

/**
 * x - mean of the batch in training, x - `running_mean` in evaluation; x: (batch, features, ...). Default momentum:
 * 0.1.
 */
export function MeanShift(features: number, options: { momentum?: number } = {}): MeanShift {
  expectOptions('MeanShift', options, ['momentum']);
  const { momentum = 0.1 } = options;
  check('MeanShift', { features }, { features: integer(1) });
  const layer: MeanShift = {
    kind: 'MeanShift',
    features,
    momentum,
    params: {},
    buffers: {},
    specs: {},
    bufferSpecs: { running_mean: { shape: [features], dtype: 'f32', value: 0 } },
    forward: (x, { training } = { training: false }) =>
      meanShift(x, bufferOf(layer, 'running_mean') as Tensor, { training, momentum }),
  };
  return layer;
}

/** One trained number a channel, added. */
export interface Bias extends Layer {
  readonly kind: 'Bias';
  readonly features: number;
}

/** x + bias; x: (batch, features, ...). `bias` (features) starts at 0. */
export function Bias(features: number): Bias {
  check('Bias', { features }, { features: integer(1) });
  const layer: Bias = {
    kind: 'Bias',
    features,
    params: {},
    specs: { bias: { shape: [features], init: () => new Float32Array(features) } },
    forward: (x) => add(x, reshape(paramOf(layer, 'bias'), [features, ...x.shape.slice(2).map(() => 1)])),
  };
  return layer;
}

/** The output of a distance net. */
export interface NegatedDistance extends Layer {
  readonly kind: 'NegatedDistance';
}

/**
 * -x: the nearer, the larger. Holds `scale`, the one trained number s (from 1) by which the cross-entropy of
 * `linfMargin` multiplies these outputs; the outputs themselves stay 1-Lipschitz.
 */
export function NegatedDistance(): NegatedDistance {
  return {
    kind: 'NegatedDistance',
    params: {},
    specs: { scale: { shape: [1], init: () => Float32Array.of(1) } },
    forward: (x) => neg(x),
  };
}
