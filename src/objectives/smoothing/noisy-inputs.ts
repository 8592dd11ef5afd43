import { ShapeError } from '../../gpu/errors.ts';
import type { ObjectiveInputs } from '../../losses/objective.ts';
import { add, div, expand, minimum, mul, sub } from '../../ops/binary.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { logsumexp } from '../../ops/logsumexp.ts';
import { mean } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { softmax } from '../../ops/softmax.ts';
import { splitKey } from '../../random/key.ts';
import { normal } from '../../random/random.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** What training for smoothing draws for each image. */
export interface NoiseOptions {
  /** Standard deviation of the noise, in units of the input; at least the one to certify with. */
  sigma: number;
  /** Noisy copies of each image. The papers' code divides its batch of 256 by m: `fit({ batchSize: 256 / m })`. */
  numCopies?: number;
}

/** The inputs of a loss under noise: those of an objective, with the noise drawn. */
export interface NoisyInputs extends Pick<ObjectiveInputs, 'x' | 'y' | 'forward' | 'evaluate'> {
  /** Noise of deviation sigma, (batch, m, ...): m draws for each image. */
  noise: Tensor;
}

/** A loss and its terms. */
export interface LossTerms {
  loss: Tensor;
}

/** Keys of a step, one for each use. */
export const DRAW = { noise: 0, mixing: 1, direction: 2, acceptance: 3 } as const;

/** The inputs of an objective with m draws of noise for each image. */
export function withNoise(
  inputs: ObjectiveInputs,
  { sigma, numCopies = 1 }: NoiseOptions,
): ObjectiveInputs & NoisyInputs {
  const { x, random } = inputs;
  const noise = normal([x.shape[0]!, numCopies, ...x.shape.slice(1)], splitKey(random.key, DRAW.noise), {
    std: sigma,
    first: random.first,
    gpu: x.gpu,
  });
  return { ...inputs, noise };
}

/** x, (batch, ...), plus noise, (batch, m, ...), as m rows an image: (batch * m, ...). */
export function noisy(x: Tensor, noise: Tensor): Tensor {
  const [batch, m, ...features] = noise.shape as [number, number, ...number[]];
  return reshape(add(reshape(x, [batch, 1, ...features]), noise), [batch * m, ...features]);
}

/** -log of the softmax at the label, for each noisy copy: (batch, m). */
export function entropies(logits: Tensor, y: Tensor<'i32'>): Tensor {
  const batch = y.shape[0]!;
  const m = copiesOf(logits, batch);
  return reshape(
    crossEntropy(logits, reshape(expand(reshape(y, [batch, 1]), [batch, m]), [batch * m]), { reduction: 'none' }),
    [batch, m],
  );
}

/** The smoothed probabilities, the mean softmax over the copies of an image: (batch, classes). */
export function smoothed(logits: Tensor, batch: number): Tensor {
  return mean(perImage(softmax(logits), batch), { axes: 1 });
}

/** Rows of noisy copies as (batch, m, ...). */
export function perImage(rows: Tensor, batch: number): Tensor {
  return reshape(rows, [batch, copiesOf(rows, batch), ...rows.shape.slice(1)]);
}

function copiesOf(rows: Tensor, batch: number): number {
  const m = rows.shape[0]! / batch;
  if (!Number.isInteger(m))
    throw new ShapeError(`smoothing: the model gives ${rows.shape[0]} rows for ${batch} images, expected a multiple`);
  return m;
}

/** -log of the smoothed probability of the label, (batch): of logits, so that it does not underflow. */
export function smoothedEntropy(logits: Tensor, y: Tensor<'i32'>): Tensor {
  const each = entropies(logits, y);
  return sub(Math.log(each.shape[1]!), logsumexp(mul(each, -1), { axes: 1 }));
}

/** min(1, (epoch + 1) / epochs): a factor that grows over the first epochs. */
export function ramp(epoch: Tensor, epochs: number): Tensor {
  return minimum(div(add(epoch, 1), epochs), 1);
}
