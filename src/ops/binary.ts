import { record } from '../tensor/tape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { expectOneOf, NUMERIC, type Numeric, type Operand, type Word } from './element.ts';
import { mapBinary } from './launch/binary.ts';
import { mapUnary } from './launch/unary.ts';
import { expand, sumTo } from './sum.ts';

export { expand };

/** Arithmetic on tensors of one element type, or on a tensor and a number; two numbers are f32. */
export interface Arithmetic {
  <D extends Numeric>(a: Tensor<D>, b: Operand<D>): Tensor<D>;
  <D extends Numeric>(a: number, b: Tensor<D>): Tensor<D>;
  (a: Operand, b: Operand): Tensor;
}

/** Gradients of one elementwise function of two arguments; each is asked for only where that argument is a tensor. */
type Gradient = (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => [da: () => Tensor | null, db: () => Tensor | null];

/** {@link mapBinary} with a gradient for f32. */
export function binary(
  op: string,
  body: string,
  gradient: Gradient,
  dtypes: readonly Word[] = ['f32'],
  float?: string,
): Arithmetic {
  return ((a: Operand, b: Operand) => {
    const y = mapBinary(op, body, a, b, { dtypes, float }) as Tensor;
    const operands = [a, b];
    return record(
      op,
      y,
      operands.filter((v) => v instanceof Tensor),
      {
        gradient: (dy) => {
          const parts = gradient(dy, a as Tensor, b as Tensor, y);
          return operands.flatMap((v, i) => (v instanceof Tensor ? [() => reduced(parts[i]!(), v)] : []));
        },
      },
    );
  }) as Arithmetic;
}

function reduced(d: Tensor | null, like: Tensor): Tensor | null {
  return d && sumTo(d, like.shape);
}

/** A factor of gradients that has none itself: y = body(a, b), f32. */
function mask(op: string, body: string): (a: Operand, b: Operand) => Tensor {
  return (a, b) => mapBinary(op, body, a, b) as Tensor;
}

/** a + b, broadcast; f32, i32 or u32. Integers wrap around. */
export const add: Arithmetic = binary('add', 'a + b', (dy) => [() => dy, () => dy], NUMERIC);

/** a - b, broadcast; f32, i32 or u32. Integers wrap around. */
export const sub: Arithmetic = binary('sub', 'a - b', (dy) => [() => dy, () => neg(dy)], NUMERIC);

/** -x; f32, i32 or u32. Integers wrap around. */
export function neg<D extends Numeric>(x: Tensor<D>): Tensor<D> {
  expectOneOf(x, NUMERIC, 'neg: x');
  const y = mapUnary('neg', x, x.dtype === 'u32' ? '0u - x' : '-x', x.dtype);
  return record('neg', y, [x], { gradient: (dy) => [neg(dy)] });
}

/** a * b, broadcast; f32, i32 or u32. Integers wrap around. */
export const mul: Arithmetic = binary('mul', 'a * b', (dy, a, b) => [() => mul(dy, b), () => mul(dy, a)], NUMERIC);

/**
 * a / b, broadcast; f32, i32 or u32. Integers are rounded towards zero; by 0, and where the quotient overflows, it is
 * a.
 */
export const div: Arithmetic = binary(
  'div',
  'a / b',
  (dy, _a, b, y) => [() => div(dy, b), () => neg(mul(dy, div(y, b)))],
  NUMERIC,
);

/**
 * The larger of a and b, broadcast; f32, i32 or u32. NaN where one is. Where they are equal each gets half of the
 * gradient.
 */
export const maximum: Arithmetic = binary(
  'maximum',
  'max(a, b)',
  (dy, a, b) => [() => mul(dy, share(a, b)), () => mul(dy, share(b, a))],
  NUMERIC,
  'maxOf(a, b)',
);

/**
 * The smaller of a and b, broadcast; f32, i32 or u32. NaN where one is. Where they are equal each gets half of the
 * gradient.
 */
export const minimum: Arithmetic = binary(
  'minimum',
  'min(a, b)',
  (dy, a, b) => [() => mul(dy, share(b, a)), () => mul(dy, share(a, b))],
  NUMERIC,
  'minOf(a, b)',
);

/**
 * 1 where a > b or one is NaN, 1/2 where equal, else 0: the part of a maximum's gradient that goes to a, as in PyTorch.
 */
const share = mask('share', 'select(select(select(0.0, 0.5, a == b), 1.0, a > b), 1.0, isNan(a) || isNan(b))');

/** 1 where a = b, else 0; of NaN too. */
export const equalMask: (a: Operand, b: Operand) => Tensor = mask(
  'equalMask',
  'select(0.0, 1.0, a == b && !isNan(a) && !isNan(b))',
);

/** a where b > 0 or NaN, else 0: the gradient of relu, as in PyTorch. */
export const maskPositive: Arithmetic = binary('maskPositive', 'select(0.0, a, b > 0.0 || isNan(b))', (dy, _a, b) => [
  () => maskPositive(dy, b),
  () => null,
]);
