import { expectOptions } from '../../check/options.ts';
import type { LinfDistNet } from '../../nn/linf-dist-mlp.ts';
import { bufferOf, type Layer } from '../../nn/layer.ts';
import type { SortDistLinear } from '../../nn/sort-net.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { concat } from '../../ops/concat.ts';
import { max } from '../../ops/reduce.ts';
import { flatten } from '../../ops/reshape.ts';
import { abs } from '../../ops/unary.ts';
import { mapBatches, type BatchOptions } from '../../nn/map-batches.ts';
import { firstOutside, outside } from '../../stats/box.ts';
import { classOfRow } from '../../stats/class-of-row.ts';
import { roundDown } from '../../stats/rounding.ts';
import { readArray, type ArrayInput } from '../../tensor/array-input.ts';
import { abstentions, type Certificates } from '../certificates.ts';
import { expectFiniteModel } from '../finite-model.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { EPSILON, TINY } from '../f32-error.ts';

/**
 * Layers that are 1-Lipschitz in the l_infinity norm in evaluation mode, and how often each rounds an element: a
 * difference once, a quotient, of 2.5 units in the last place, thrice. NormalizeInput is 1-Lipschitz in units of its
 * smallest std.
 */
const ROUNDINGS: Readonly<Record<string, number>> = {
  Flatten: 0,
  NormalizeInput: 4,
  LinfDistLinear: 1,
  LinfDistConv2d: 1,
  MeanShift: 1,
  Bias: 1,
  NegatedDistance: 0,
  ReLU: 0,
  MaxPool2d: 0,
  Dropout: 0,
};

/** A sum of K products of positive numbers: the share, the difference, the product, and K - 1 sums; one to spare. */
const roundingsOf = (layer: Layer): number | undefined =>
  layer.kind === 'SortDistLinear' ? (layer as SortDistLinear).terms + 3 : ROUNDINGS[layer.kind];

/**
 * Half the distance between the two largest outputs, for each input: every output of the net is 1-Lipschitz in the
 * l_infinity norm, whatever its weights. Zhang et al., ICML 2021, proposition 4. x: (n, ...), batches of 500 by
 * default. No input nearer than its radius in the l_infinity norm gets another class; the radius is 0 where two outputs
 * tie, and the label ABSTAIN where an output is NaN or two are infinite alike.
 *
 * The radius holds for the net as the device computes it in f32, at the input and at all f32 inputs nearer than the
 * radius, and for the net in real numbers. With e = 2^-23, what WGSL allows a sum or difference to err relatively, n_l
 * how often layer l rounds, L their sum and a_l the largest output of layer l in size, an output at x errs by at most E
 * = e / (1 - L e) sum_l n_l a_l (+ underflow), for the layers after it pass an error on undiminished at most. At a
 * point within r the a_l are larger by at most r + E + E', so that E' (1 - k) <= E (1 + k) + k r there, k = L e / (1 -
 * L e). Both classes stay in order while r <= m/2 - E - E', for a margin m of the computed outputs, which gives r = (1
 * - k) m/2 - 2 E. The a_l are exact and the rest is f64, rounded down. After a first layer (x - mean) / std, r is in
 * units of its outputs, and r times the smallest std is the radius.
 * Throws RangeError unless the power is infinite and x finite, NonFiniteError on weights that are not, ShapeError
 * unless the net gives (batch, classes), TypeError at a layer that is not known to be 1-Lipschitz.
 */
export async function certifyMargin(
  model: LinfDistNet,
  x: ArrayInput,
  options: BatchOptions = {},
): Promise<Certificates> {
  expectOptions('certifyMargin', options, ['batchSize', 'signal']);
  expectInfinite(model);
  const host = await readArray('certifyMargin: x', x);
  const at = firstOutside(host.data, null);
  if (at >= 0)
    throw new RangeError(
      `certifyMargin: x is ${host.data[at]} in row ${Math.floor((at * host.length) / host.data.length)}, ` +
        outside(null),
    );
  const layers = [...leavesOf(model)];
  await expectFiniteModel('certifyMargin', model);
  const unit = await smallestDeviation(layers);
  const roundings = layers.map((layer) => roundingsOf(layer)!).filter((n) => n > 0);
  // p may have been set while the input and the weights were looked at.
  expectInfinite(model);
  const both = await mapBatches(
    model.arena.values.gpu,
    host,
    (batch) => {
      let y = batch;
      const sizes = [];
      for (const layer of layers) {
        y = layer.forward(y, { training: false });
        if (roundingsOf(layer)! > 0) sizes.push(max(abs(flatten(y)), { axes: 1, keepDim: true }));
      }
      if (y.rank !== 2)
        throw new ShapeError(`certifyMargin: the model gives shape [${y.shape}], expected (batch, classes)`);
      return concat([y, ...sizes], { axis: 1 });
    },
    options,
  );
  const width = both.shape[1] ?? 0;
  const { labels, radii } = abstentions(both.length);
  for (let i = 0; i < both.length; i++) {
    const row = both.data.subarray(i * width, (i + 1) * width - roundings.length);
    const top = classOfRow(row, 0, row.length);
    if (top < 0) continue;
    labels[i] = top;
    const second = row.reduce((most, v, j) => (j === top ? most : Math.max(most, v)), -Infinity);
    radii[i] = marginRadius(
      unit,
      row[top]! - second,
      both.data.subarray((i + 1) * width - roundings.length, (i + 1) * width),
      roundings,
    );
  }
  return { labels, radii };
}

function expectInfinite({ power }: LinfDistNet): void {
  if (power.value !== Infinity)
    throw new RangeError(`certifyMargin: p is ${power.value}, expected Infinity; call model.power.set(Infinity)`);
}

/**
 * The factor by which a first layer (x - mean) / std shrinks distances at least: its smallest std; 1 without one.
 * Throws where such a layer stands elsewhere.
 */
async function smallestDeviation(layers: readonly Layer[]): Promise<number> {
  const at = layers.findIndex(({ kind }) => kind === 'NormalizeInput');
  if (at < 0) return 1;
  if (
    layers.slice(at + 1).some(({ kind }) => kind === 'NormalizeInput') ||
    layers.slice(0, at).some((layer) => roundingsOf(layer)! > 0)
  ) {
    throw new TypeError('certifyMargin: NormalizeInput comes after other layers, expected it first');
  }
  const deviations = await (bufferOf(layers[at]!, 'std') as Tensor).read();
  const least = deviations.reduce((a, b) => Math.min(a, Math.abs(b)), Infinity);
  if (!(least >= 2 ** -126))
    throw new RangeError(`certifyMargin: NormalizeInput has a std of ${least}, expected positive numbers`);
  return least;
}

/**
 * The radius, in units of the input, of a margin of f32 outputs: `unit`, the smallest std of a first layer (x - mean) /
 * std, else 1, times the radius in units of that layer's outputs. `sizes` is the largest output of each layer that
 * rounds, `roundings` how often it does. 0 where nothing is certain.
 */
function marginRadius(unit: number, margin: number, sizes: Float32Array, roundings: readonly number[]): number {
  const count = roundings.reduce((a, b) => a + b, 0);
  const rate = EPSILON / (1 - count * EPSILON);
  const error = rate * sizes.reduce((sum, a, l) => sum + roundings[l]! * a, 0) + count * (TINY / Math.min(1, unit));
  const radius = roundDown(((1 - count * rate) * margin) / 2 - 2 * error, 16 + 2 * count) - 2 ** -40 * error;
  // |x' - x| <= unit r keeps the net's input within r.
  return Number.isFinite(radius) ? Math.max(0, unit === 1 ? radius : roundDown(unit * radius, 2)) : 0;
}

function* leavesOf(model: Layer): Generator<Layer> {
  for (const [name, layer] of Object.entries(model.children ?? {})) {
    if (layer.kind === 'Sequential') yield* leavesOf(layer);
    else if (roundingsOf(layer) !== undefined) yield layer;
    else
      throw new TypeError(
        `certifyMargin: layer ${name} (${layer.kind}) is not known to be 1-Lipschitz; use ` +
          'certifyBounds for such nets',
      );
  }
}
