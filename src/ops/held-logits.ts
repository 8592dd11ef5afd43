import kernel from '../../shaders/held-logits.wgsl';
import { lanesFor } from '../gpu/lanes.ts';
import { noGrad, record } from '../tensor/tape.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';
import { mul } from './binary.ts';
import { where } from './where.ts';

const BITS = { infinity: 0x7f800000, nan: 0x7fc00000 };

/** Logits that any composed loss can take, and the kind of each row, (rows) u32; see {@link holdLogits}. */
export interface HeldLogits {
  held: Tensor;
  kinds: Tensor<'u32'>;
}

/**
 * logits (rows, classes) with finite numbers where a composed loss would make 0 times Infinity of them: -1e37 for
 * -Infinity, a masked class; 0 for anything that is not finite in a row whose entry of `weight`, (rows), is 0. A row
 * with NaN or +Infinity, or with no class left, is NaN throughout. `keepsMasked`: -Infinity stays. Gradients pass, but
 * 0 to rows of weight 0 that were changed. Finite rows are copies.
 */
export function holdLogits(
  logits: Tensor,
  weight: Tensor,
  { keepsMasked = false }: { keepsMasked?: boolean } = {},
): HeldLogits {
  const [rows, classes] = logits.shape as [number, number];
  const { gpu } = logits;
  const held = empty([rows, classes], { gpu });
  const kinds = empty([rows], { dtype: 'u32', gpu });
  const lanes = lanesFor(gpu, rows, classes);
  kernel.hold({ rows, classes, ...BITS }, { z: logits, weight, y: held, found: kinds }, lanes.grid, {
    KEEPS_MASKED: Number(keepsMasked),
    ...lanes.variant,
  });
  return { held: record('holdLogits', held, [logits], { gradient: (dy) => [passed(dy, kinds)] }), kinds };
}

function passed(dy: Tensor, kinds: Tensor<'u32'>): Tensor {
  const [rows, classes] = dy.shape as [number, number];
  const y = empty([rows, classes], { gpu: dy.gpu });
  const lanes = lanesFor(dy.gpu, rows, classes);
  kernel.through({ rows, classes, ...BITS }, { z: dy, kinds, y }, lanes.grid, lanes.variant);
  return record('holdLogits', y, [dy], { gradient: (d) => [passed(d, kinds)] });
}

/**
 * weight values, (rows), 0 where the weight is, whatever the value; no gradient flows to the weight. With the `kinds`
 * of {@link holdLogits} the value of a row of NaN is NaN, and one that a held class drives to 1e28 and more is the
 * infinity it stands for.
 */
export function weighRows(values: Tensor, weight: Tensor, kinds?: Tensor<'u32'>): Tensor {
  const rows = values.size;
  const y = empty([rows], { gpu: values.gpu });
  kernel.weigh({ rows, classes: 1, ...BITS }, { z: values, weight, kinds: kinds ?? weight, y }, [rows], {
    KINDS: Number(kinds !== undefined),
  });
  return record('weighRows', y, [values], { gradient: (dy) => [mul(dy, weight)] });
}

/**
 * 1 for each row of a weight that is not 0, else 0: for a loss inside another, whose rows of weight 0 must not count
 * whatever their logits.
 */
export function countedRows(weight: Tensor): Tensor {
  return noGrad(() => where(weight, 1, 0));
}
