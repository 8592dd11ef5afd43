import { any, between, checkOptions, positive } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { sigmoid } from '../../ops/activations.ts';
import { add, div, mul } from '../../ops/binary.ts';
import { less } from '../../ops/compare.ts';
import { weighRows } from '../../ops/held-logits.ts';
import { toLabels } from '../../ops/labels.ts';
import { norm } from '../../ops/norm.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { reshape } from '../../ops/reshape.ts';
import { neg } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { noGrad } from '../../tensor/tape.ts';
import { expectRank, type Tensor } from '../../tensor/tensor.ts';
import { adjustedCrossEntropy } from '../adjusted-cross-entropy.ts';
import { defineKernelLoss } from '../kernel-loss.ts';
import { labelMargin } from '../label-margin.ts';
import type { Loss, LossInputs } from '../loss.ts';
import type { Objective } from '../objective.ts';
import { wrapLoss } from '../wrap-loss.ts';

/** Options of {@link influenceBalanced}. */
export interface InfluenceBalancedOptions {
  /** Factor of all values. Default: 1000. */
  alpha?: number;
  /** Added to the influence, so that a sample without any has a finite factor. Default: 0.001. */
  eps?: number;
  /** Class weights. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'mean', over the samples; 'weightedMean' would also divide by the factors. */
  reduction?: Reduction;
}

/** A loss that knows what the last layer was given. */
export interface InfluenceBalancedLoss extends Pick<Loss, 'name' | 'reduction' | 'setClassWeight' | 'dispose'> {
  (logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, inputs: LossInputs & { features: Tensor }): Tensor;
}

/**
 * Influence-balanced loss: w_y CE alpha / (|p - onehot(y)|_1 |phi|_1 + eps), phi the features before the last
 * layer. The factor is a constant of the gradient. Meant for fine-tuning after a phase of cross-entropy. logits: (rows,
 * classes); `features`, besides the labels: (rows, width). Park, Lim, Jeon, Choi, "Influence-balanced loss for
 * imbalanced visual classification", ICCV 2021. Throws RangeError unless alpha and eps are positive and finite.
 */
export function influenceBalanced(given: InfluenceBalancedOptions = {}): InfluenceBalancedLoss {
  checkOptions('influenceBalanced', given, { alpha: positive, eps: positive, weight: any, reduction: any });
  const { alpha = 1000, eps = 0.001, weight, reduction = 'mean' } = given;
  const base = defineKernelLoss({
    name: 'influenceBalanced',
    kernel: adjustedCrossEntropy(),
    weight,
    reduction,
    numClasses: weight?.length,
  });
  return wrapLoss([base], {
    name: 'influenceBalanced',
    call(logits, labels, { features, sampleWeight, reduction: asked = reduction } = {}) {
      if (!features) throw new TypeError('influenceBalanced: features are missing, expected (rows, width)');
      const [rows] = expectRank(logits, 2, 'influenceBalanced: logits') as [number, number];
      if (features.rank !== 2 || features.shape[0] !== rows)
        throw new ShapeError(`influenceBalanced: features have shape [${features.shape}], expected (${rows}, width)`);
      const target = toLabels('influenceBalanced', labels, logits);
      const factor = noGrad(() => {
        // |p - onehot(y)|_1 = 2 (1 - p_y)
        const influence = mul(mul(sigmoid(neg(labelMargin(logits, target))), 2), norm(features, { p: 1, axes: 1 }));
        const ours = div(alpha, add(influence, eps));
        return sampleWeight ? weighRows(ours, sampleWeight) : ours;
      });
      return base(logits, target, { sampleWeight: factor, reduction: asked });
    },
  }) as InfluenceBalancedLoss;
}

/** Options of {@link influenced}. */
export interface InfluencedOptions {
  /**
   * First epoch, from 0, of the influence-balanced phase; cross-entropy with the same class weights before. Default: 0.
   */
  from?: number;
}

/**
 * {@link influenceBalanced} for `fit({ objective })`: the features are what the last layer of the model is given,
 * flattened. With `from` the run begins with plain cross-entropy, the mean over the samples, as the paper's. Class
 * weights of schedules reach both. `dispose` frees the loss. Throws RangeError on an epoch below 0.
 */
export function influenced(loss: InfluenceBalancedLoss, given: InfluencedOptions = {}): Objective {
  checkOptions('influenced', given, { from: between(0, Infinity) });
  const { from = 0 } = given;
  const plain = defineKernelLoss({ name: 'influenced', kernel: adjustedCrossEntropy(), reduction: 'mean' });
  const objective: Objective = ({ x, y, forward, at }) => {
    const seen: Tensor[] = [x];
    const logits = forward(x, { hook: (hidden) => (seen.push(hidden), hidden) });
    // The last output that `hook` saw is the logits; the one before is what the last layer is given.
    const features = reshape(seen.at(-2)!, [y.size, seen.at(-2)!.size / y.size]);
    const balanced = loss(logits, y, { features });
    return from === 0 ? balanced : where(less(at.epoch, from), plain(logits, y), balanced);
  };
  return Object.assign(objective, {
    setClassWeight(weight: ArrayLike<number> | null) {
      plain.setClassWeight(weight);
      loss.setClassWeight(weight);
    },
    dispose() {
      plain.dispose();
      loss.dispose();
    },
  });
}
