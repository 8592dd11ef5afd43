import { any, check, listOf, nonEmpty } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { JoinedWeights } from '../../nn/pass-weights.ts';
import { add, mul } from '../../ops/index.ts';
import type { DType } from '../../tensor/dtype.ts';
import { sameShape } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { BaseClassifier } from './noisy-votes.ts';

/**
 * A base classifier that gives the mean of its members' logits, for {@link Smooth}. Members that err on different noise
 * make each other's errors rarer, so that the smoothed probabilities, and with them the radii, grow: Horvath et al.,
 * "Boosting randomized smoothing with variance reduced classifiers", ICLR 2022.
 *
 * Soundness. Smoothing certifies whatever function of the noisy input is counted, and the mean of logits is one: the
 * certificate is that of the ensemble, at the cost of all members for each copy. No bound is split.
 * The context of a pass, and with it training or evaluation mode, is that of all members. Throws RangeError without
 * members, `forward` ShapeError when their outputs differ in shape.
 */
export function ensemble(members: readonly BaseClassifier[]): BaseClassifier {
  check('ensemble', { members }, { members: nonEmpty(listOf(any)) });
  return {
    forward: (x, context): Tensor => {
      const all = members.map((member) => member.forward(x, context));
      const other = all.find(({ shape }) => !sameShape(shape, all[0]!.shape));
      if (other)
        throw new ShapeError(
          `ensemble: members give shapes [${all[0]!.shape}] and [${other.shape}], expected equal ones`,
        );
      return mul(
        all.reduce((sum, logits) => add(sum, logits)),
        1 / members.length,
      );
    },
    snapshot: () => new JoinedWeights(members.flatMap((member) => member.snapshot?.() ?? [])),
    children: Object.fromEntries(members.entries()),
    get graph() {
      return members.map(({ graph }) => graph ?? '').join();
    },
    get parameters() {
      return named(members.map(({ parameters }) => parameters));
    },
    get namedBuffers() {
      return named(members.map(({ namedBuffers }) => namedBuffers));
    },
  };
}

/** The values of all members, with the number of the member before each name. */
function named<D extends DType>(
  maps: readonly (ReadonlyMap<string, Tensor<D>> | undefined)[],
): ReadonlyMap<string, Tensor<D>> {
  return new Map(
    maps.flatMap((map, i) => Array.from(map ?? [], ([name, t]): [string, Tensor<D>] => [`${i}.${name}`, t])),
  );
}
