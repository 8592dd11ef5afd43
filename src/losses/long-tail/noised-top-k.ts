import { atLeast, checkOptions, either, integer, listOf, required } from '../../check/check.ts';
import { relu } from '../../ops/activations.ts';
import { add, sub } from '../../ops/binary.ts';
import type { RandomSource } from '../../ops/dropout.ts';
import { indexSelect, toIndex } from '../../ops/gather.ts';
import { mean } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { slice } from '../../ops/slice.ts';
import { topk } from '../../ops/sort.ts';
import { splitKey } from '../../random/key.ts';
import { normal } from '../../random/random.ts';
import { noGrad } from '../../tensor/tape.ts';
import { expectRank, type Tensor } from '../../tensor/tensor.ts';
import { deviceTable } from '../device-table.ts';
import { ofLabel } from '../label-margin.ts';
import type { Objective } from '../objective.ts';

/** Options of {@link noisedTopK}. */
export interface NoisedTopKOptions {
  /** Classes that a prediction may name, below the number of classes. */
  k: number;
  /**
   * Deviation of the noise on the logits. Default: 1, as the authors' for balanced data; 0.2 for CIFAR-100 with noisy
   * labels.
   */
  eps?: number;
  /** Draws of the noise for each sample. Default: 5. */
  numDraws?: number;
  /**
   * By how much the label must lead: one number, or one for each class, such as `ldamMargins(counts, 5)`. Default: 1.
   */
  margin?: number | ArrayLike<number>;
}

/** {@link noisedTopK} as an objective for `fit`, and as a function for other loops. */
export interface NoisedTopK extends Objective {
  /** The mean value of logits (batch, classes), with random numbers of the step. */
  loss(logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, random: RandomSource): Tensor;
  dispose(): void;
}

/**
 * Noised top-k hinge: mean of max(0, m_y + s - z_y), where s smooths the (k + 1)-th largest logit: its mean over draws
 * of z + eps noise, so that its gradient is shared among the classes that take that place. Garcin, Servajean, Joly,
 * Salmon, "Stochastic smoothing of the top-K calibrated hinge loss for deep imbalanced classification", ICML 2022.
 * eps = 0 is the plain top-k hinge. Throws RangeError on a k that is no positive integer below the number of
 * classes, and on options outside their ranges.
 */
export function noisedTopK(given: NoisedTopKOptions): NoisedTopK {
  checkOptions('noisedTopK', given, {
    k: required(integer(1)),
    eps: atLeast(0),
    numDraws: integer(1),
    margin: either(atLeast(0), listOf(atLeast(0))),
  });
  const { k, eps = 1, numDraws = 5, margin = 1 } = given;
  const margins = typeof margin === 'number' ? [margin] : Array.from(margin);
  const table = deviceTable(margins);
  const loss: NoisedTopK['loss'] = (logits, labels, { key, first }) => {
    const [rows, classes] = expectRank(logits, 2, 'noisedTopK: logits') as [number, number];
    if (k >= classes)
      throw new RangeError(`noisedTopK: k is ${k}, expected an integer below ${classes}, the number of classes`);
    if (typeof margin !== 'number' && margins.length !== classes)
      throw new RangeError(`noisedTopK: margin has ${margins.length} entries, the logits have ${classes} classes`);
    const target = toIndex('noisedTopK: labels', labels, classes, logits.gpu) as Tensor<'i32'>;
    const noise = noGrad(() =>
      normal([rows, numDraws, classes], splitKey(key, 0), { std: eps, first, gpu: logits.gpu }),
    );
    const { values } = topk(add(reshape(logits, [rows, 1, classes]), noise), { k: k + 1 });
    const smooth = reshape(mean(slice(values, { axes: 2, start: k }), { axes: 1 }), [rows]);
    const lead = noGrad(() =>
      typeof margin === 'number' ? table.on(logits.gpu) : indexSelect(table.on(logits.gpu), target),
    );
    return mean(relu(add(sub(smooth, ofLabel(logits, target)), lead)));
  };
  const objective: Objective = ({ x, y, forward, random }) => loss(forward(x), y, random);
  return Object.assign(objective, { loss, dispose: table.dispose });
}
