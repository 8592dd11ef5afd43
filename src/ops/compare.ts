import type { Tensor } from '../tensor/tensor.ts';
import { expectOneOf, NUMERIC, WORDS, type Numeric, type Operand, type Word } from './element.ts';
import { mapBinary } from './launch/binary.ts';
import { mapUnary } from './launch/unary.ts';

/** A comparison of tensors of one element type, or of a tensor and a number. */
export interface Comparison<T extends Word> {
  <D extends T>(a: Tensor<D>, b: Operand<D>): Tensor<'bool'>;
  <D extends T>(a: number, b: Tensor<D>): Tensor<'bool'>;
}

/** Where body(a, b) holds, over broadcast shapes; `ofNan` where one is NaN, whose bits are tested. No gradient. */
function comparison<T extends Word>(op: string, body: string, dtypes: readonly T[], ofNan = false): Comparison<T> {
  const float = ofNan ? `${body} || isNan(a) || isNan(b)` : `${body} && !isNan(a) && !isNan(b)`;
  const options = { dtypes, float: `select(0u, 1u, ${float})`, result: 'bool' as const };
  return (a: Operand<Word>, b: Operand<Word>) =>
    mapBinary(op, `select(0u, 1u, ${body})`, a, b, options) as Tensor<'bool'>;
}

/** a > b as bool, broadcast; f32, i32 or u32. False where one is NaN. */
export const greater: Comparison<Numeric> = comparison('greater', 'a > b', NUMERIC);

/** a >= b as bool, broadcast; f32, i32 or u32. False where one is NaN. */
export const greaterEqual: Comparison<Numeric> = comparison('greaterEqual', 'a >= b', NUMERIC);

/** a < b as bool, broadcast; f32, i32 or u32. False where one is NaN. */
export const less: Comparison<Numeric> = comparison('less', 'a < b', NUMERIC);

/** a <= b as bool, broadcast; f32, i32 or u32. False where one is NaN. */
export const lessEqual: Comparison<Numeric> = comparison('lessEqual', 'a <= b', NUMERIC);

/** a = b as bool, broadcast; any type of four bytes. False where one is NaN. */
export const equal: Comparison<Word> = comparison('equal', 'a == b', WORDS);

/** a != b as bool, broadcast; any type of four bytes. True where one is NaN. */
export const notEqual: Comparison<Word> = comparison('notEqual', 'a != b', WORDS, true);

/** A logical operation on bool tensors, broadcast. */
export type Logical = (a: Tensor<'bool'>, b: Tensor<'bool'>) => Tensor<'bool'>;

function logical(op: string, body: string): Logical {
  return (a, b) => mapBinary(op, body, a, b, { dtypes: ['bool'] }) as Tensor<'bool'>;
}

/** True where both a and b are, broadcast. */
export const logicalAnd: Logical = logical('logicalAnd', 'a & b');

/** True where a or b is, broadcast. */
export const logicalOr: Logical = logical('logicalOr', 'a | b');

/** True where exactly one of a and b is, broadcast. */
export const logicalXor: Logical = logical('logicalXor', 'a ^ b');

/** True where x is not. */
export function logicalNot(x: Tensor<'bool'>): Tensor<'bool'> {
  expectOneOf(x, ['bool'], 'logicalNot: x');
  return mapUnary('logicalNot', x, 'x ^ 1u', 'bool');
}

/** True where x is neither infinite nor NaN: a test of bits, which no adapter optimises away. */
export function isFinite(x: Tensor): Tensor<'bool'> {
  expectOneOf(x, ['f32'], 'isFinite: x');
  return mapUnary('isFinite', x, 'select(0u, 1u, (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u)', 'bool');
}
