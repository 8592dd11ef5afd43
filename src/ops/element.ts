import { DTypeError } from '../gpu/errors.ts';
import { toDevice, type DType } from '../tensor/dtype.ts';
import { Tensor } from '../tensor/tensor.ts';

/** Element types of four bytes, which the elementwise kernels read and write. */
export type Word = Exclude<DType, 'f16'>;

/** Element types that have arithmetic and an order. */
export type Numeric = 'f32' | 'i32' | 'u32';

/** A tensor, or a number that is broadcast and takes the element type of the other operands. */
export type Operand<D extends DType = 'f32'> = Tensor<D> | number;

/** WGSL type of an element. */
export const ELEMENT: Readonly<Record<Word, Numeric>> = { f32: 'f32', i32: 'i32', u32: 'u32', bool: 'u32' };

/** All of {@link Numeric}. */
export const NUMERIC: readonly Numeric[] = ['f32', 'i32', 'u32'];

/** All of {@link Word}. */
export const WORDS: readonly Word[] = [...NUMERIC, 'bool'];

const RANGES = { i32: [-(2 ** 31), 2 ** 31 - 1], u32: [0, 2 ** 32 - 1], bool: [0, 1] } as const;

/** Throws a DTypeError unless `x` has one of the element types. */
export function expectOneOf(x: Tensor<DType>, dtypes: readonly Word[], what: string): void {
  if ((dtypes as readonly DType[]).includes(x.dtype)) return;
  const names = dtypes.length > 1 ? `${dtypes.slice(0, -1).join(', ')} or ${dtypes.at(-1)}` : dtypes[0];
  throw new DTypeError(`${what} is ${x.dtype}, expected ${names}`);
}

/**
 * The one element type of the tensors among a and b; undefined when both are numbers. Errors as {@link expectOneOf},
 * and when they differ.
 */
export function sharedType(op: string, a: Operand<Word>, b: Operand<Word>, dtypes: readonly Word[]): Word | undefined {
  if (a instanceof Tensor) expectOneOf(a, dtypes, `${op}: a`);
  if (b instanceof Tensor) expectOneOf(b, dtypes, `${op}: b`);
  if (a instanceof Tensor && b instanceof Tensor && a.dtype !== b.dtype)
    throw new DTypeError(`${op}: a is ${a.dtype} and b is ${b.dtype}, expected the same type; cast one of them`);
  return a instanceof Tensor ? a.dtype : b instanceof Tensor ? b.dtype : undefined;
}

/** The bits of a number as an element. Throws a RangeError when the type has no such value. */
export function bitsOf(value: number, dtype: Word, what: string): number {
  if (dtype !== 'f32') {
    const [low, high] = RANGES[dtype];
    if (!Number.isInteger(value) || value < low || value > high)
      throw new RangeError(`${what} is ${value}, expected an integer in ${low}..${high} beside a tensor of ${dtype}`);
  }
  return new Uint32Array(toDevice(dtype, [value]).buffer)[0]!;
}
