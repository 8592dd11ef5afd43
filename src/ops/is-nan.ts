import type { Tensor } from '../tensor/tensor.ts';
import { expectOneOf } from './element.ts';
import { mapUnary } from './launch/unary.ts';

/** True where x is NaN: a test of bits, which no adapter optimises away. */
export function isNan(x: Tensor): Tensor<'bool'> {
  expectOneOf(x, ['f32'], 'isNan: x');
  return mapUnary('isNan', x, 'select(0u, 1u, isNan(x))', 'bool');
}
