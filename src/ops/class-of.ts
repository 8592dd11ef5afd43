import kernel from '../../shaders/class-of.wgsl';
import { lanesFor } from '../gpu/lanes.ts';
import { empty, expectDType, expectRank, type Tensor } from '../tensor/tensor.ts';

/**
 * The class of each row of logits (rows, classes), the first of the largest: (rows) i32, no gradient. -1, no class,
 * where the row has a NaN, or where an infinity that two logits share is the largest.
 */
export function classOf(logits: Tensor): Tensor<'i32'> {
  expectDType(logits, 'f32', 'classOf: logits');
  const [rows, classes] = expectRank(logits, 2, 'classOf: logits') as [number, number];
  if (classes === 0) throw new RangeError('classOf: logits have 0 classes, expected at least one');
  const y = empty([rows], { dtype: 'i32', gpu: logits.gpu });
  const lanes = lanesFor(logits.gpu, rows, classes);
  kernel.forward({ rows, classes }, { z: logits, y }, lanes.grid, lanes.variant);
  return y;
}
