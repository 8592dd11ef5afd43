import * as activations from '../ops/activations.ts';
import * as binary from '../ops/binary.ts';
import { cast } from '../ops/cast.ts';
import * as compare from '../ops/compare.ts';
import type { Numeric, Operand, Word } from '../ops/element.ts';
import { logsumexp } from '../ops/logsumexp.ts';
import { matmul, type MatmulOptions } from '../ops/matmul.ts';
import { norm, type NormOptions } from '../ops/norm.ts';
import { permute, swapaxes, transpose } from '../ops/permute.ts';
import * as reduce from '../ops/reduce.ts';
import type { ArgOptions, ReduceOptions } from '../ops/reduce.ts';
import { flatten, reshape, squeeze, unsqueeze } from '../ops/reshape.ts';
import { at, flip, slice, type SliceOptions } from '../ops/slice.ts';
import { logSoftmax, softmax, type SoftmaxOptions } from '../ops/softmax.ts';
import { pow } from '../ops/pow.ts';
import * as unary from '../ops/unary.ts';
import { std, variance, type VarianceOptions } from '../ops/variance.ts';
import { where } from '../ops/where.ts';
import type { DType } from '../tensor/dtype.ts';
import { backward } from '../tensor/tape.ts';
import { Tensor } from '../tensor/tensor.ts';

declare module '../tensor/tensor.ts' {
  /** Ops as methods, of the entry `evenkeel/methods`: `x.add(b)` is `add(x, b)`. */
  interface Tensor<D extends DType = 'f32'> {
    add<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<T>;
    sub<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<T>;
    mul<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<T>;
    div<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<T>;
    pow(this: Tensor, exponent: Operand): Tensor;
    maximum<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<T>;
    minimum<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<T>;

    neg<T extends Numeric>(this: Tensor<T>): Tensor<T>;
    abs<T extends Numeric>(this: Tensor<T>): Tensor<T>;
    exp(this: Tensor): Tensor;
    log(this: Tensor): Tensor;
    sqrt(this: Tensor): Tensor;
    square(this: Tensor): Tensor;
    clamp(this: Tensor, min: number, max: number): Tensor;
    tanh(this: Tensor): Tensor;
    sigmoid(this: Tensor): Tensor;
    relu(this: Tensor): Tensor;

    greater<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<'bool'>;
    greaterEqual<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<'bool'>;
    less<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<'bool'>;
    lessEqual<T extends Numeric>(this: Tensor<T>, other: Operand<T>): Tensor<'bool'>;
    equal<T extends Word>(this: Tensor<T>, other: Operand<T>): Tensor<'bool'>;
    notEqual<T extends Word>(this: Tensor<T>, other: Operand<T>): Tensor<'bool'>;
    /** The elements where `condition` holds, else those of `other`, as in PyTorch: where(condition, this, other). */
    where<T extends Word>(this: Tensor<T>, condition: Tensor<Word>, other: Operand<T>): Tensor<T>;

    matmul(this: Tensor, other: Tensor, options?: MatmulOptions): Tensor;
    sum<T extends Numeric>(this: Tensor<T>, options?: ReduceOptions): Tensor<T>;
    mean(this: Tensor, options?: ReduceOptions): Tensor;
    max<T extends Numeric>(this: Tensor<T>, options?: ReduceOptions): Tensor<T>;
    min<T extends Numeric>(this: Tensor<T>, options?: ReduceOptions): Tensor<T>;
    argmax<T extends Numeric>(this: Tensor<T>, options?: ArgOptions): Tensor<'u32'>;
    argmin<T extends Numeric>(this: Tensor<T>, options?: ArgOptions): Tensor<'u32'>;
    any<T extends Word>(this: Tensor<T>, options?: ReduceOptions): Tensor<'bool'>;
    all<T extends Word>(this: Tensor<T>, options?: ReduceOptions): Tensor<'bool'>;
    norm(this: Tensor, options?: NormOptions): Tensor;
    std(this: Tensor, options?: VarianceOptions): Tensor;
    variance(this: Tensor, options?: VarianceOptions): Tensor;
    logsumexp(this: Tensor, options?: ReduceOptions): Tensor;
    softmax(this: Tensor, options?: SoftmaxOptions): Tensor;
    logSoftmax(this: Tensor, options?: SoftmaxOptions): Tensor;

    reshape(shape: readonly number[]): Tensor<D>;
    flatten(options?: { startAxis?: number }): Tensor<D>;
    squeeze(options?: { axes?: readonly number[] | number }): Tensor<D>;
    unsqueeze(axis: number): Tensor<D>;
    expand<T extends Word>(this: Tensor<T>, shape: readonly number[]): Tensor<T>;
    transpose(): Tensor<D>;
    swapaxes(first: number, second: number): Tensor<D>;
    permute(order: readonly number[]): Tensor<D>;
    at(index: number): Tensor<D>;
    slice(options: SliceOptions): Tensor<D>;
    flip(options?: { axes?: readonly number[] | number }): Tensor<D>;
    cast<T extends DType>(dtype: T): Tensor<T>;

    backward(this: Tensor, options?: { accumulate?: boolean }): void;
  }
}

/** The functions that become methods: the tensor is their first argument. */
const functions = {
  add: binary.add,
  sub: binary.sub,
  mul: binary.mul,
  div: binary.div,
  pow,
  maximum: binary.maximum,
  minimum: binary.minimum,
  neg: unary.neg,
  abs: unary.abs,
  exp: unary.exp,
  log: unary.log,
  sqrt: unary.sqrt,
  square: unary.square,
  clamp: unary.clamp,
  tanh: unary.tanh,
  sigmoid: activations.sigmoid,
  relu: activations.relu,
  greater: compare.greater,
  greaterEqual: compare.greaterEqual,
  less: compare.less,
  lessEqual: compare.lessEqual,
  equal: compare.equal,
  notEqual: compare.notEqual,
  where: (x: Tensor, condition: Tensor<Word>, other: Operand) => where(condition, x, other),
  matmul,
  sum: reduce.sum,
  mean: reduce.mean,
  max: reduce.max,
  min: reduce.min,
  argmax: reduce.argmax,
  argmin: reduce.argmin,
  any: reduce.any,
  all: reduce.all,
  norm,
  std,
  variance,
  logsumexp,
  softmax,
  logSoftmax,
  reshape,
  flatten,
  squeeze,
  unsqueeze,
  expand: binary.expand,
  transpose,
  swapaxes,
  permute,
  at,
  slice,
  flip,
  cast,
  backward,
};

/** Names of the methods that this entry adds to tensors. */
export const methodNames = Object.keys(functions) as readonly (keyof typeof functions)[];

for (const [name, run] of Object.entries(functions) as [string, (x: Tensor, ...rest: unknown[]) => unknown][]) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return run(this, ...rest);
    },
    writable: true,
    configurable: true,
  });
}
