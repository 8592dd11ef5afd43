import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { Flatten } from './activation-layers.ts';
import { type Layer } from './layer.ts';
import { distanceLayers, LinfDistNet, type LinfDistMlpOptions } from './linf-dist-mlp.ts';
import { DistancePower, LinfDistConv2d, MeanShift } from './linf-dist.ts';

/** A convolution of {@link linfDistConvNet}. */
export interface LinfDistConvSize {
  /** Filters. */
  out: number;
  /** Default: 1. */
  stride?: number;
}

/** Options of {@link linfDistConvNet}. */
export interface LinfDistConvNetOptions extends LinfDistMlpOptions {
  numClasses: number;
  /**
   * 3 x 3 convolutions with a padding of 1, in order. Default: 32, 32, 64 of stride 2, 64, 64 filters, as in the
   * authors' first code.
   */
  channels?: readonly LinfDistConvSize[];
  /** Units of the fully connected distance layers before the last. Default: 512, as there. */
  hidden?: readonly number[];
}

const CHANNELS: readonly LinfDistConvSize[] = [
  { out: 32 },
  { out: 32 },
  { out: 64, stride: 2 },
  { out: 64 },
  { out: 64 },
];

/**
 * `linfDistConvNet([1, 28, 28], { numClasses: 10 })`: 3 x 3 distance convolutions dist1, shift1, dist2, ..., then fully
 * connected distance layers as `linfDistMlp` has, numbered on. x: (batch, channels, height, width). 1-Lipschitz as
 * `linfDistMlp` is: an output of a convolution is the distance of one patch, with the zeros of the padding in it.
 * Zhang, Cai, Lu, He and Wang, ICML 2021. Training holds each patch twice: 72 batch inChannels outHeight outWidth bytes
 * for each convolution. Throws RangeError on sizes that are no positive integers.
 */
export function linfDistConvNet(
  [inChannels, height, width]: readonly [channels: number, height: number, width: number],
  options: LinfDistConvNetOptions,
): LinfDistNet {
  expectOptions('linfDistConvNet', options, ['numClasses', 'channels', 'hidden', 'p', 'identity']);
  const { numClasses, channels = CHANNELS, hidden = [512], p = Infinity, identity = 10 } = options;
  check(
    'linfDistConvNet',
    { channels: inChannels, height, width, numClasses },
    { channels: integer(1), height: integer(1), width: integer(1), numClasses: integer(1) },
  );
  const power = new DistancePower(p);
  const layers: Record<string, Layer> = {};
  let [from, h, w] = [inChannels, height, width];
  channels.forEach(({ out, stride = 1 }, i) => {
    layers[`dist${i + 1}`] = LinfDistConv2d(from, out, 3, { stride, padding: 1, power, identity });
    layers[`shift${i + 1}`] = MeanShift(out);
    [from, h, w] = [out, Math.floor((h - 1) / stride) + 1, Math.floor((w - 1) / stride) + 1];
  });
  layers.flatten = Flatten();
  Object.assign(
    layers,
    distanceLayers([from * h * w, ...hidden, numClasses], { power, identity, first: channels.length + 1 }),
  );
  return new LinfDistNet(layers, power);
}
