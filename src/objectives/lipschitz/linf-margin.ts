import { any, atLeast, between, check, checkOptions, positive, required } from '../../check/check.ts';
import { add, div, minimum, mul, sub } from '../../ops/binary.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { max, sum } from '../../ops/reduce.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { defineLoss } from '../../losses/define.ts';
import { deviceTable } from '../../losses/device-table.ts';
import type { Loss, LossOptions } from '../../losses/loss.ts';
import { LOSS_RULES } from '../../losses/loss-options.ts';

/** Options of {@link linfMargin}. */
export interface LinfMarginOptions extends LossOptions {
  /**
   * Radius that training asks for, in the units of the model's input; the paper takes three times the radius to
   * certify.
   */
  epsTrain: number;
  /** Weight of the cross-entropy. Default: 0.05. */
  lambda?: number;
  /**
   * Largest hinge. Default: 1: a misclassified sample has no hinge gradient. Infinity: a hinge without an upper end.
   */
  maxHinge?: number;
  /** The factor of the outputs inside the cross-entropy: `() => model.scale`. Default: 1. */
  scale?: () => Tensor;
}

/** {@link linfMargin}, whose numbers the host may change between steps; a captured step follows. */
export interface LinfMarginLoss extends Loss {
  set(values: { lambda?: number; epsTrain?: number }): void;
}

const MOVING = { epsTrain: required(positive), lambda: atLeast(0) } as const;

/**
 * min(clip, max(0, max_{j != y} (g_j - g_y + 2 epsTrain) / (2 epsTrain))) + lambda CE(s g, y): the objective of Zhang,
 * Jiang, He and Wang, ICLR 2022, for outputs g that are 1-Lipschitz. Default reduction: 'mean'.
 */
export function linfMargin(given: LinfMarginOptions): LinfMarginLoss {
  checkOptions('linfMargin', given, { ...MOVING, maxHinge: between(0, Infinity, '(]'), scale: any, ...LOSS_RULES });
  const { epsTrain, lambda = 0.05, maxHinge = 1, scale, reduction = 'mean', ...rest } = given;
  const current = { lambda, epsTrain };
  const tables = { lambda: deviceTable([lambda]), epsTrain: deviceTable([epsTrain]) };
  const loss = defineLoss({
    name: 'linfMargin',
    tables,
    values(g, labels, { tables: numbers }) {
      const own = oneHot(labels, g.shape[1]!);
      const label = sum(mul(g, own), { axes: 1, keepDim: true });
      // 0 at the label, so that the largest entry is the hinge.
      const margins = add(div(sub(g, label), mul(numbers.epsTrain, 2)), sub(1, own));
      const hinge = max(margins, { axes: 1 });
      const clipped = maxHinge === Infinity ? hinge : minimum(hinge, maxHinge);
      const entropy = crossEntropy(scale ? mul(g, scale()) : g, labels, { reduction: 'none' });
      return add(clipped, mul(entropy, numbers.lambda));
    },
    reduction,
    ...rest,
  });
  return Object.assign(loss, {
    set(values: { lambda?: number; epsTrain?: number }) {
      check('linfMargin', { ...current, ...values }, MOVING);
      Object.assign(current, values);
      tables.lambda.write([current.lambda]);
      tables.epsTrain.write([current.epsTrain]);
    },
  });
}
