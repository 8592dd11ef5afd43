import { expectOptions } from '../check/options.ts';
import { div, sub } from '../ops/binary.ts';
import { reshape } from '../ops/reshape.ts';
import { ShapeError } from '../gpu/errors.ts';
import { toList } from '../tensor/host-values.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { bufferOf, type Layer } from './layer.ts';

/** A model's first layer, which takes pixels to the units that the rest was trained in. */
export interface NormalizeInput extends Layer {
  readonly kind: 'NormalizeInput';
  readonly channels: number;
  /** Filled by the model: mean, std. */
  readonly buffers: Record<string, Tensor>;
}

/** Options of {@link NormalizeInput}: one number for each channel, or one for all. */
export interface NormalizeInputOptions {
  mean: ArrayLike<number> | number;
  /** Above 0. */
  std: ArrayLike<number> | number;
}

/**
 * (x - mean) / std in each channel of x: (batch, channels, ...), as torchvision's Normalize. Inside the model attacks,
 * certificates and noise are in units of the pixels. mean and std are not trained; they are saved as buffers, and
 * loading a file brings its own. Throws RangeError unless mean and std are finite, as many of one as of the other, and
 * std above 0; `forward` ShapeError unless x has that many channels.
 */
export function NormalizeInput(options: NormalizeInputOptions): NormalizeInput {
  expectOptions('NormalizeInput', options, ['mean', 'std']);
  const { mean, std } = options;
  const [means, deviations] = [listOf('mean', mean), listOf('std', std)];
  const channels = Math.max(means.length, deviations.length);
  for (const [name, list] of Object.entries({ mean: means, std: deviations })) {
    if (list.length !== channels && list.length !== 1)
      throw new RangeError(
        `NormalizeInput: ${name} has ${list.length} entries, expected ${channels}, one for each channel, or 1`,
      );
    list.forEach((v, c) => {
      if (!(Number.isFinite(Math.fround(v)) && (name === 'mean' || Math.fround(v) >= 2 ** -126)))
        throw new RangeError(
          `NormalizeInput: ${name}[${c}] is ${v}, expected a ${name === 'mean' ? 'finite' : 'positive'} number in f32`,
        );
    });
  }
  const all = (list: readonly number[]): readonly number[] =>
    Array.from({ length: channels }, (_, c) => list[list.length === 1 ? 0 : c]!);
  const spec = (list: readonly number[]) => ({ shape: [channels], dtype: 'f32', value: all(list) }) as const;
  const layer: NormalizeInput = {
    kind: 'NormalizeInput',
    channels,
    specs: {},
    params: {},
    buffers: {},
    bufferSpecs: { mean: spec(means), std: spec(deviations) },
    forward: (x) => {
      if (x.rank < 2 || (channels > 1 && x.shape[1] !== channels))
        throw new ShapeError(`NormalizeInput: x has shape [${x.shape}], expected (batch, ${channels}, ...)`);
      const perChannel = (name: string): Tensor =>
        reshape(bufferOf(layer, name) as Tensor, [channels, ...x.shape.slice(2).map(() => 1)]);
      return div(sub(x, perChannel('mean')), perChannel('std'));
    },
  };
  return layer;
}

const listOf = (name: string, values: ArrayLike<number> | number): number[] =>
  typeof values === 'number' ? [values] : Array.from(toList(`NormalizeInput: ${name}`, values));
