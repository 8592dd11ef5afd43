import kernel from '../../shaders/where.wgsl';
import { record } from '../tensor/tape.ts';
import { empty, Tensor } from '../tensor/tensor.ts';
import { broadcast } from './broadcast.ts';
import { bitsOf, expectOneOf, sharedType, WORDS, type Operand, type Word } from './element.ts';
import { sumTo } from './sum.ts';

/** The types of {@link where}. */
export interface Where {
  <D extends Word>(condition: Tensor<Word>, a: Tensor<D>, b: Operand<D>): Tensor<D>;
  <D extends Word>(condition: Tensor<Word>, a: number, b: Tensor<D>): Tensor<D>;
  (condition: Tensor<Word>, a: Operand, b: Operand): Tensor;
}

/**
 * a where `condition` is true (or a number that is not zero), else b; all broadcast. a and b have one element type of
 * four bytes; a number takes that of the tensor beside it, and two numbers are f32. The gradient goes to the branch
 * that was taken.
 */
export const where: Where = ((condition: Tensor<Word>, a: Operand<Word>, b: Operand<Word>): Tensor<Word> => {
  expectOneOf(condition, WORDS, 'where: condition');
  const dtype = sharedType('where', a, b, WORDS) ?? 'f32';
  const bits = (v: Operand<Word>, name: string): number =>
    typeof v === 'number' ? bitsOf(v, dtype, `where: ${name}`) : 0;
  const [scalarA, scalarB] = [bits(a, 'a'), bits(b, 'b')];
  const { shape, rank, axes } = broadcast('where', [condition, a, b]);
  const y = empty(shape, { dtype, gpu: condition.gpu });
  kernel.forward(
    { size: y.size, scalarA, scalarB, axes },
    { condition, a: a instanceof Tensor ? a : condition, b: b instanceof Tensor ? b : condition, y },
    [y.size],
    {
      RANK: rank,
      // -0 is zero too.
      ...(condition.dtype === 'f32' && { holds: 'return (bits << 1u) != 0u;' }),
      ...(typeof a === 'number' && { first: 'return params.scalarA;' }),
      ...(typeof b === 'number' && { second: 'return params.scalarB;' }),
    },
  );
  const branches = [a, b];
  return record(
    'where',
    y,
    branches.filter((v) => v instanceof Tensor),
    {
      gradient: (dy) =>
        branches.flatMap((v, i) =>
          v instanceof Tensor
            ? [() => sumTo(i === 0 ? where(condition, dy, 0) : where(condition, 0, dy), v.shape)]
            : [],
        ),
    },
  );
}) as Where;
