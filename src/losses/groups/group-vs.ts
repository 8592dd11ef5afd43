import { any, checkOptions, finite, listOf, oneOf, positive, required } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { mul, sub } from '../../ops/binary.ts';
import { concat } from '../../ops/concat.ts';
import { indexSelect, toIndex, type Index } from '../../ops/gather.ts';
import { toLabels } from '../../ops/labels.ts';
import { oneHot } from '../../ops/one-hot.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { reshape } from '../../ops/reshape.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { zeros, type Tensor } from '../../tensor/tensor.ts';
import { adjustedCrossEntropy } from '../adjusted-cross-entropy.ts';
import { deviceTable } from '../device-table.ts';
import { COUNTS } from '../../stats/class-weights.ts';
import { defineKernelLoss, expectClasses } from '../kernel-loss.ts';
import type { Loss, LossInputs, LossOptions } from '../loss.ts';
import { adjustments } from '../long-tail/vs.ts';
import { wrapLoss } from '../wrap-loss.ts';

const FORMS = ['paper', 'official'] as const;

/** Options of {@link binaryVs}: of class 0 (negative) first, then class 1. */
export interface BinaryVsOptions {
  delta: readonly [number, number];
  iota: readonly [number, number];
  /**
   * 'official': logits and shifts times 30, and the shift of class 0 with the other sign, as the released code.
   * Default: 'paper'.
   */
  form?: 'paper' | 'official';
  /** Class weights omega. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean'. */
  reduction?: Reduction;
}

/**
 * Binary VS loss omega_y log(1 + exp(iota_y - Delta_y y f)), y = -1 for class 0 and +1 for class 1. logits (..., 1)
 * hold f, or (..., 2) with f = z_1 - z_0. For counts n, Delta_y = (n_y / n_max)^gamma and iota_y = -tau log(n_y / N).
 * Kini et al., NeurIPS 2021. Throws RangeError unless both delta are positive and finite and both iota finite.
 */
export function binaryVs(given: BinaryVsOptions): Loss {
  checkOptions('binaryVs', given, {
    delta: required(listOf(positive, 2, 'one per class')),
    iota: required(listOf(finite, 2, 'one per class')),
    form: oneOf(...FORMS),
    weight: any,
    reduction: any,
  });
  const { delta, iota, form = 'paper', weight, reduction = 'weightedMean' } = given;
  const s = form === 'official' ? 30 : 1;
  const base = groupShifted(
    'binaryVs',
    delta.map((d) => s * d),
    [iota[0] * (form === 'official' ? -s : s), iota[1] * s],
    { weight, reduction, numClasses: 2 },
  );
  return wrapLoss([base], {
    name: 'binaryVs',
    reduction,
    call(logits, labels, inputs) {
      const two =
        logits.shape.at(-1) === 1 ? concat([zeros(logits.shape, { gpu: logits.gpu }), logits], { axis: -1 }) : logits;
      // An ignored label is no group either; the loss leaves its row out.
      const y = toLabels('binaryVs', labels, two);
      return base(two, y, { ...inputs, groups: y });
    },
  });
}

/** Options of {@link groupVs}. */
export interface GroupVsOptions {
  /** Training samples of each group; an empty group counts as one with a single sample. */
  groupCounts: ArrayLike<number>;
  /** Exponent of the factors Delta_g = (n_g / n_max)^gamma. Default: 0.3. */
  gamma?: number;
  /** Factor of the shifts iota_g = -tau log(n_g / N). Default: 1. */
  tau?: number;
  /**
   * 'official': the released code takes iota from all logits of a row, where it cancels: only the factors act. Default:
   * 'paper'.
   */
  form?: 'paper' | 'official';
  /** Class weights. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean'. */
  reduction?: Reduction;
}

/** A loss that knows the group of each sample. */
export interface GroupLoss extends Pick<Loss, 'name' | 'reduction' | 'setClassWeight' | 'dispose'> {
  (logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, inputs: LossInputs & { groups: Index }): Tensor;
  /**
   * Groups are 0..numGroups-1. On the device a group outside has no part in the loss of `groupDro`, and no logits in
   * `groupVs`.
   */
  readonly numGroups: number;
}

/**
 * Group-sensitive VS loss: cross-entropy of Delta_g z_c + iota_g [c != y], g the group of the sample, which for two
 * classes is log(1 + exp(iota_g - Delta_g y f)), f = z_1 - z_0. A group is usually a pair of label and attribute. The
 * call takes `groups` in addition to the labels; a group that a batch lacks has no part in it. Kini et al., NeurIPS
 * 2021, section 2. Throws RangeError on bad counts, on gamma or tau that is not finite, and on a group outside the
 * counts.
 */
export function groupVs(given: GroupVsOptions): GroupLoss {
  checkOptions('groupVs', given, {
    groupCounts: required(COUNTS),
    gamma: finite,
    tau: finite,
    form: oneOf(...FORMS),
    weight: any,
    reduction: any,
  });
  const { groupCounts, gamma = 0.3, tau = 1, form = 'paper', weight, reduction = 'weightedMean' } = given;
  const { classScale, shift } = adjustments(groupCounts, gamma, tau);
  return groupShifted('groupVs', classScale, form === 'official' ? shift.map(() => 0) : shift.map((v) => -v), {
    weight,
    reduction,
    numClasses: weight?.length,
  });
}

/** Cross-entropy of delta_g z - iota_g [c = y]. */
function groupShifted(
  name: string,
  delta: ArrayLike<number>,
  iota: ArrayLike<number>,
  { weight, reduction, numClasses }: LossOptions,
): GroupLoss {
  const table = deviceTable([delta, iota]);
  const base = defineKernelLoss({ name, kernel: adjustedCrossEntropy(), weight, reduction, numClasses });
  const loss = wrapLoss([base], {
    name,
    owns: [table],
    call(logits, labels, { groups, ...inputs } = {}) {
      if (!groups) throw new TypeError(`${name}: groups are missing, expected one a sample`);
      const lead = logits.shape.slice(0, -1);
      const rows = sizeOf(lead);
      const k = expectClasses(name, logits, numClasses);
      const of = reshape(toLabels(name, labels, logits), [rows]);
      const group = toIndex(`${name}: groups`, groups, delta.length, logits.gpu) as Tensor<'i32'>;
      if (group.size !== rows)
        throw new ShapeError(`${name}: got ${group.size} groups for logits of shape [${logits.shape}]`);
      const values = indexSelect(table.on(logits.gpu), reshape(group, [rows]), { axis: 1 });
      const row = (i: number): Tensor => reshape(indexSelect(values, [i]), [rows, 1]);
      const adjusted = sub(mul(reshape(logits, [rows, k]), row(0)), mul(oneHot(of, k), row(1)));
      return base(reshape(adjusted, logits.shape), reshape(of, lead), inputs);
    },
  });
  return Object.assign(loss, { numGroups: delta.length }) as GroupLoss;
}
