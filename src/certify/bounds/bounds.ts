import { any, atLeast, checkOptions, integer, oneOf, required } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import type { Layer } from '../../nn/layer.ts';
import type { BatchOptions } from '../../nn/map-batches.ts';
import { throughWeights } from '../../nn/pass-weights.ts';
import type { Sequential } from '../../nn/sequential.ts';
import { add, maximum, minimum, mul, sub } from '../../ops/binary.ts';
import { classOf } from '../../ops/class-of.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { BOX, firstOutside, outside } from '../../stats/box.ts';
import { NO_CLASS } from '../../stats/class-of-row.ts';
import { readArray, readLabels, type ArrayInput, type LabelsInput } from '../../tensor/array-input.ts';
import type { NdArray } from '../../tensor/ndarray.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { scope, unscoped } from '../../tensor/scope.ts';
import { noGrad } from '../../tensor/tape.ts';
import { tensor, type Tensor } from '../../tensor/tensor.ts';
import { abstentions, type Certificates } from '../certificates.ts';
import { leastOf, stepsOf } from './crown.ts';
import { intervalBounds, largest } from './interval.ts';
import { expectFiniteModel } from '../finite-model.ts';
import { expectPowers, powersOf } from '../../nn/powers.ts';
import { SINGLE, sure, sureLower, TINY, widen, type Interval } from '../f32-error.ts';

/** The inputs that a certificate is about. */
export interface BoxOptions {
  /** l_infinity radius in units of the model's input. */
  eps: number;
  /** Interval of valid inputs, in the same units: the box is cut to it. null: none. Default: [0, 1]. */
  clip?: readonly [number, number] | null;
}

const METHODS = ['ibp', 'crown-ibp', 'crown'] as const;

/** Options of {@link certifyBounds}. */
export interface CertifyBoundsOptions extends BoxOptions, BatchOptions {
  /** The classes to certify, such as the true ones; what is another class is not certified. Default: the model's. */
  labels?: LabelsInput;
  /**
   * 'ibp' for any net, 'crown-ibp' or 'crown' for linear, convolution, relu, average pooling and residual layers
   * ({@link crownBounds}); in this order they cost more and are mostly tighter. Default: 'ibp'.
   */
  method?: (typeof METHODS)[number];
}

/** Certificates of {@link certifyBounds}: every input in the box of radius eps is given the class `labels[i]`. */
export interface BoxCertificates extends Certificates {
  /**
   * Lower bound of the output of the class less that of any other class, over the box; -Infinity where nothing is
   * known. A positive one is a certificate, of radius eps.
   */
  margins: Float64Array;
}

/** The box of radius eps around x, cut to `clip`, rounded outwards. Around a NaN it is all of `clip`. */
export function boxAround(x: Tensor, options: BoxOptions): Interval {
  checkOptions('boxAround', options, { eps: required(atLeast(0)), clip: BOX });
  const { eps, clip = [0, 1] } = options;
  const { lower, upper } = sure(widen({ lower: sub(x, eps), upper: add(x, eps) }, SINGLE, TINY));
  return clip ? { lower: maximum(lower, clip[0]), upper: minimum(upper, clip[1]) } : { lower, upper };
}

/**
 * Whether a class y holds in the whole box around each input, by bounds on the outputs: z_y - z_j > 0 for all j.
 * Where the last layer is linear, it is merged with these differences; of CROWN's margin and that of
 * intervals the larger counts, so that neither form of CROWN certifies less than intervals do; between the two forms
 * nothing is promised. Sound in
 * floating point, see {@link intervalBounds}. x: (n, ...), batches of 100 by default. A margin whose bounds are
 * NaN or overflow certifies nothing; weights that are not finite are refused by a NonFiniteError. Throws RangeError on
 * a bad option, when an input lies outside `clip` or a label outside the classes, ShapeError unless the model gives
 * (batch, classes), TypeError at a layer without a rule.
 */
export async function certifyBounds(
  model: Sequential,
  x: ArrayInput,
  options: CertifyBoundsOptions,
): Promise<BoxCertificates> {
  checkOptions('certifyBounds', options, {
    eps: required(atLeast(0)),
    clip: BOX,
    labels: any,
    method: oneOf(...METHODS),
    batchSize: integer(1),
    signal: any,
  });
  const { eps, clip = [0, 1], method = 'ibp', batchSize = 100, signal } = options;
  const { gpu } = model.arena.values;
  const powers = powersOf(model);
  // The weights of this moment: the model may be in training while inputs and margins are awaited.
  const weights = model.snapshot();
  try {
    const host = await readArray('certifyBounds: x', x);
    const wanted = options.labels === undefined ? null : await readLabels('certifyBounds: labels', options.labels);
    checkInputs(host, wanted, clip);
    await expectFiniteModel('certifyBounds', model);
    const size = sizeOf(host.shape.slice(1));
    const { labels, radii } = abstentions(host.length);
    const margins = new Float64Array(host.length);
    for (let start = 0; start < host.length; start += batchSize) {
      signal?.throwIfAborted();
      expectPowers('certifyBounds', model, powers);
      const rows = Math.min(batchSize, host.length - start);
      const [found, own] = unscoped(() =>
        scope(() =>
          noGrad(() => {
            const images = tensor(host.data.subarray(start * size, (start + rows) * size), {
              shape: [rows, ...host.shape.slice(1)],
              gpu,
            });
            const box = boxAround(images, { eps, clip });
            return throughWeights(model, weights, () => {
              const own = wanted
                ? tensor(
                    Array.from({ length: rows }, (_, i) => wanted[start + i]!),
                    { dtype: 'i32', gpu },
                  )
                : classOf(expectLogits(model.forward(images, { training: false })));
              const byIntervals = sureLower(intervalMargins(model, box, own));
              const least =
                method === 'ibp'
                  ? byIntervals
                  : maximum(byIntervals, leastOf(differences(own, byIntervals.shape[1]!), stepsOf(model, box, method)));
              return [least, own] as const;
            });
          }),
        ),
      );
      const classes = found.shape[1]!;
      const [values, classesOf] = await Promise.all(
        [found, own].map((t) => (t as Tensor).read().finally(() => t.dispose())),
      );
      classesOf!.forEach((label, i) => {
        const row = start + i;
        // Without a class of the model there is none to certify.
        if (!wanted && label === NO_CLASS) return void (margins[row] = -Infinity);
        const asked = wanted ? wanted[row]! : label;
        if (!(Number.isInteger(asked) && asked >= 0 && asked < classes))
          throw new RangeError(`certifyBounds: labels[${row}] is ${asked}, expected an integer in 0..${classes - 1}`);
        let least = Infinity;
        for (let j = 0; j < classes; j++) if (j !== asked) least = Math.min(least, finite(values![i * classes + j]!));
        margins[row] = least;
        if (least > 0) [labels[row], radii[row]] = [asked, eps];
      });
    }
    return { labels, radii, margins };
  } finally {
    weights.dispose();
  }
}

function expectLogits(outputs: Tensor): Tensor {
  if (outputs.rank !== 2)
    throw new ShapeError(`certifyBounds: the model gives shape [${outputs.shape}], expected (batch, classes)`);
  return outputs;
}

/** A margin, or -Infinity where it is not a finite number. */
const finite = (margin: number): number => (Number.isFinite(margin) ? margin : -Infinity);

/** Rows e_y - e_j for all j: (batch, classes, classes). */
function differences(labels: Tensor<'i32'>, classes: number): Tensor {
  const units = oneHot(
    Array.from({ length: classes }, (_, j) => j),
    classes,
  );
  return sub(reshape(oneHot(labels, classes), [-1, 1, classes]), units);
}

/** Lower bounds of z_y - z_j by intervals: (batch, classes), without meaning at j = y. */
function intervalMargins(model: Layer, box: Interval, labels: Tensor<'i32'>): Tensor {
  const layers = Object.values(model.children ?? {});
  const last = layers.at(-1);
  const before = layers.slice(0, -1).reduce((now, layer) => intervalBounds(layer, now), box);
  const outputs = last ? intervalBounds(last, before) : before;
  expectLogits(outputs.lower);
  if (last?.kind === 'Linear' || last?.kind === 'NtkLinear')
    return leastOf(differences(labels, outputs.lower.shape[1]!), [{ layer: last, input: before }]);
  const own = sum(mul(outputs.lower, oneHot(labels, outputs.lower.shape[1]!)), { axes: 1, keepDim: true });
  return widen(
    { lower: sub(own, outputs.upper), upper: own },
    0,
    mul(add(largest(outputs), largest({ lower: own, upper: own })), SINGLE),
  ).lower;
}

function checkInputs(x: NdArray, labels: ArrayLike<number> | null, clip: readonly [number, number] | null): void {
  if (x.shape.length < 2)
    throw new ShapeError(
      `certifyBounds: x has shape [${x.shape}], expected (n, ...): one item needs a leading axis of 1`,
    );
  if (labels && labels.length !== x.length)
    throw new ShapeError(
      `certifyBounds: labels has ${labels.length} entries, expected ${x.length}, one for each row of x`,
    );
  const at = firstOutside(x.data, clip);
  if (at >= 0)
    throw new RangeError(
      `certifyBounds: x is ${x.data[at]} in row ${Math.floor(at / sizeOf(x.shape.slice(1)))}, ${outside(clip)}`,
    );
}
