import kernel from '../../shaders/one-hot.wgsl';
import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { DTypeError } from '../gpu/errors.ts';
import { currentGpu } from '../gpu/device.ts';
import type { DType } from '../tensor/dtype.ts';
import { empty, Tensor } from '../tensor/tensor.ts';
import { toIndex, type Index } from './gather.ts';

/** The bits of 1. */
const ONE = { f32: 0x3f800000, i32: 1, u32: 1, bool: 1 };

/**
 * A row of `classes` for each label: 1 at the label, else 0. Labels: i32 or u32 of any shape, or a list of integers;
 * the result has one more axis, the last. On the device a label outside 0..classes-1 gives a row of zeros. No gradient.
 */
export function oneHot<D extends Exclude<DType, 'f16'> = 'f32'>(
  labels: Index,
  classes: number,
  options: { dtype?: D } = {},
): Tensor<D> {
  expectOptions('oneHot', options, ['dtype']);
  const { dtype = 'f32' as D } = options;
  check('oneHot', { classes }, { classes: integer(1) });
  if (!(dtype in ONE)) throw new DTypeError(`oneHot: dtype is ${dtype}, expected f32, i32, u32 or bool`);
  const list = toIndex('oneHot: labels', labels, classes, labels instanceof Tensor ? labels.gpu : currentGpu());
  const y = empty([...list.shape, classes], { dtype, gpu: list.gpu });
  kernel.forward({ size: y.size, classes, one: ONE[dtype] }, { labels: list, y }, [y.size]);
  if (list !== labels) list.dispose();
  return y;
}
