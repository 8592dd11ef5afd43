import { any, atLeast, checkOptions, required } from '../../check/check.ts';
import { relu } from '../../ops/activations.ts';
import { add, sub } from '../../ops/binary.ts';
import { indexSelect } from '../../ops/gather.ts';
import { max } from '../../ops/reduce.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { COUNTS, ldamMargins } from '../../stats/class-weights.ts';
import { defineLoss } from '../define.ts';
import { ofLabel, withoutLabel } from '../label-margin.ts';
import type { Loss } from '../loss.ts';

/** Options of {@link ldamHinge}. */
export interface LdamHingeOptions {
  /** Training samples of each class. */
  classCounts: ArrayLike<number>;
  /** Margin of the rarest class. Default: 0.5. */
  maxM?: number;
  /** Class weights; `drw` sets them by epoch. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean'. */
  reduction?: Reduction;
}

/**
 * Hinge form of LDAM: max(max_{j != y} z_j - z_y + m_y, 0), with the margins of {@link ldamMargins}. A tie of the
 * largest other logits shares the gradient as `max` does; 0 with a single class. Cao et al., NeurIPS 2019 (LDAM-HG; no
 * official code).
 */
export function ldamHinge(given: LdamHingeOptions): Loss {
  checkOptions('ldamHinge', given, { classCounts: required(COUNTS), maxM: atLeast(0), weight: any, reduction: any });
  const { classCounts, maxM = 0.5, weight, reduction } = given;
  return defineLoss({
    name: 'ldamHinge',
    tables: { margins: ldamMargins(classCounts, maxM) },
    values(z, labels, { tables }) {
      const gap = sub(max(withoutLabel(z, labels), { axes: 1 }), ofLabel(z, labels));
      return relu(add(gap, indexSelect(tables.margins, labels)));
    },
    weight,
    reduction,
    numClasses: classCounts.length,
  });
}
