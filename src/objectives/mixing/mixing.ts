import { between, checkOptions, oneOf } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { add, mul, sub } from '../../ops/binary.ts';
import { less } from '../../ops/compare.ts';
import type { RandomSource } from '../../ops/dropout.ts';
import { mean } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { times } from '../../ops/times.ts';
import { where } from '../../ops/where.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { asLoss } from '../../losses/define.ts';
import type { Loss, LossFunction } from '../../losses/loss.ts';
import type { Objective } from '../../losses/objective.ts';

/** What a {@link Mixing} takes. */
export interface MixingInputs {
  /** (batch, ...) */
  x: Tensor;
  /** (batch) */
  y: Tensor<'i32'>;
  /** Random numbers of this step. */
  random: RandomSource;
}

/** A batch whose samples are mixed with partners from the same batch. */
export interface Mixture {
  /** Mixed inputs, of the shape of x. */
  x: Tensor;
  /** Labels of the partners, (batch). */
  partner: Tensor<'i32'>;
  /** Share of the own label, (batch); the partner's is the rest. */
  weight: Tensor;
}

/** A rule that mixes a batch, such as mixup(); it records on the device, so a captured step draws anew each time. */
export interface Mixing {
  (inputs: MixingInputs): Mixture;
  /** Classes that it knows the counts of; the logits must have as many. */
  readonly classes?: number;
  dispose(): void;
}

/** Options of {@link mixed}. */
export interface MixedOptions {
  /** First epoch, from 0, that trains on the inputs as they are. Default: Infinity. */
  until?: number;
  /**
   * 'released-code': the mean share times the mean loss, as UniMix's code does around cross-entropy, which parts a
   * share from its sample. Default: each sample's two losses are combined by its own share.
   */
  compat?: 'released-code';
}

/** w_i l(z_i, y_i) + (1 - w_i) l(z_i, partner_i) for each sample; the shares are constants of the gradient. */
export function mixedLoss(
  loss: Loss,
  logits: Tensor,
  labels: Tensor<'i32'>,
  { partner, weight }: Pick<Mixture, 'partner' | 'weight'>,
): Tensor {
  const rest = noGrad(() => sub(1, weight));
  return add(
    loss(logits, labels, { sampleWeight: weight, reduction: 'none' }),
    loss(logits, partner, { sampleWeight: rest, reduction: 'none' }),
  );
}

/**
 * Training on mixed inputs, for `fit({ objective })`: the mean over the batch of {@link mixedLoss}, whatever the
 * reduction of the loss, with class weights, which schedules may set, as factors. `dispose` frees the rule and the
 * loss. Throws RangeError on an `until` below 0, ShapeError when the rule has counts of another number of classes than
 * the logits.
 */
export function mixed(mixing: Mixing, loss: Loss | LossFunction, given: MixedOptions = {}): Objective {
  checkOptions('mixed', given, { until: between(0, Infinity), compat: oneOf('released-code') });
  const { until = Infinity, compat } = given;
  const base = asLoss(loss, 'mixed');
  const objective: Objective = ({ x, y, forward, random, at }) => {
    const batch = noGrad(() => {
      const { x: blended, partner, weight } = mixing({ x, y, random });
      if (until === Infinity) return { x: blended, partner, weight };
      const on = less(at.epoch, until);
      return { x: where(on, blended, x), partner, weight: where(on, weight, 1) };
    });
    const logits = forward(batch.x);
    if (mixing.classes !== undefined && logits.shape.at(-1) !== mixing.classes)
      throw new ShapeError(
        `mixed: logits have shape [${logits.shape}], expected ${mixing.classes} classes, as many as classCounts has`,
      );
    if (compat !== 'released-code') return mean(mixedLoss(base, logits, y, batch));
    const share = noGrad(() => mean(batch.weight));
    return add(
      times(share, base(logits, y, { reduction: 'mean' })),
      times(
        noGrad(() => sub(1, share)),
        base(logits, batch.partner, { reduction: 'mean' }),
      ),
    );
  };
  return Object.assign(objective, {
    setClassWeight: (weight: ArrayLike<number> | null) => base.setClassWeight(weight),
    dispose() {
      mixing.dispose();
      base.dispose();
    },
  });
}

/** w_i x_i + (1 - w_i) other_i. */
export function blend(x: Tensor, other: Tensor, weight: Tensor): Tensor {
  const w = reshape(weight, [weight.size, ...x.shape.slice(1).map(() => 1)]);
  return add(mul(x, w), mul(other, sub(1, w)));
}
