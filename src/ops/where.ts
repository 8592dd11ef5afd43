import { elementwise } from '../tensor/elementwise.ts';
import { record } from '../tensor/tape.ts';
import { empty, Tensor } from '../tensor/tensor.ts';
import { axesOf, broadcast } from './broadcast.ts';
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
 * four bytes; a number takes that of the tensor operand, and two numbers are f32. The gradient goes to the branch
 * that was taken.
 */
export const where: Where = ((condition: Tensor<Word>, a: Operand<Word>, b: Operand<Word>): Tensor<Word> => {
  expectOneOf(condition, WORDS, 'where: condition');
  const dtype = sharedType('where', a, b, WORDS) ?? 'f32';
  const bits = (v: Operand<Word>, name: string): number =>
    typeof v === 'number' ? bitsOf(v, dtype, `where: ${name}`) : 0;
  const [scalarA, scalarB] = [bits(a, 'a'), bits(b, 'b')];
  const joint = broadcast('where', [condition, a, b]);
  const y = empty(joint.shape, { dtype, gpu: condition.gpu });
  // Branches are copied bit by bit.
  const type = 'u32';
  const branch = (v: Operand<Word>, bits: number, operand: number) =>
    v instanceof Tensor ? ({ type, from: v, axes: axesOf(joint, operand) } as const) : ({ type, from: bits } as const);
  elementwise(
    'where',
    // -0 is zero too.
    `select(b, a, ${condition.dtype === 'f32' ? '(condition << 1u)' : 'condition'} != 0u)`,
    {
      condition: { type, from: condition, axes: axesOf(joint, 0) },
      a: branch(a, scalarA, 1),
      b: branch(b, scalarB, 2),
    },
    { type, to: y },
    y.size,
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
