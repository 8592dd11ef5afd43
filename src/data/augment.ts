import { between, checkOptions, integer } from '../check/check.ts';
import { shiftFlip } from '../ops/shift-flip.ts';
import type { DrawOptions } from '../random/draw.ts';
import { splitKey, type Key } from '../random/key.ts';
import { bernoulli, randint } from '../random/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * A random change of a batch of inputs, on the device; what `fit` takes as `augment`. Draws come from `random`: sample
 * b of the batch has number `first` + b over the whole run, so that a captured step draws anew each time.
 */
export type Augmentation = (x: Tensor, random: { key: Key; first: NonNullable<DrawOptions['first']> }) => Tensor;

/** Options of {@link cropFlip}. */
export interface CropFlipOptions {
  /** Zeros on each side before the crop, in pixels. Default: 4. */
  padding?: number;
  /** Probability of a horizontal mirror image. Default: 0.5. */
  flip?: number;
}

/**
 * Pads each image (batch, channels, height, width) with zeros, crops it to its size at a uniformly random place, and
 * mirrors it with probability `flip`: torchvision's RandomCrop(size, padding) and RandomHorizontalFlip, the
 * augmentation of the CIFAR papers. One kernel besides the draws. Throws RangeError on a padding that is no integer of
 * at least 0 or a probability outside 0..1.
 */
export function cropFlip(options: CropFlipOptions = {}): Augmentation {
  checkOptions('cropFlip', options, { padding: integer(0, 2 ** 20), flip: between(0, 1) });
  const { padding = 4, flip = 0.5 } = options;
  return (x, { key, first }) => {
    const draw = { first, gpu: x.gpu };
    const batch = x.shape[0] ?? 0;
    const shift = randint([batch, 2], splitKey(key, 0), { low: -padding, high: padding + 1, ...draw });
    const mirrored = bernoulli([batch], splitKey(key, 1), { p: flip, dtype: 'bool', ...draw });
    return shiftFlip(x, shift, mirrored);
  };
}
