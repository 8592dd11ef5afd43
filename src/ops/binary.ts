import kernel from '../../shaders/binary.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import { broadcastShapes, sameShape, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, tensor, Tensor } from '../tensor/tensor.ts';
import { broadcast, type Broadcast } from './broadcast.ts';
import { lessEqual } from './compare.ts';
import {
  bitsOf,
  ELEMENT,
  expectOneOf,
  NUMERIC,
  onLanes,
  sharedType,
  WORDS,
  type Numeric,
  type Operand,
  type Word,
} from './element.ts';
import { sumTo } from './reduce.ts';
import { reshape } from './reshape.ts';
import { log, neg, powScalar } from './unary.ts';
import { where } from './where.ts';

/** Arithmetic on tensors of one element type, or on a tensor and a number; two numbers are f32. */
export interface Arithmetic {
  <D extends Numeric>(a: Tensor<D>, b: Operand<D>): Tensor<D>;
  <D extends Numeric>(a: number, b: Tensor<D>): Tensor<D>;
  (a: Operand, b: Operand): Tensor;
}

/** Gradients of one elementwise function of two arguments; each is asked for only where that argument is a tensor. */
type Gradient = (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => [da: () => Tensor | null, db: () => Tensor | null];

interface MapOptions {
  /** Element types that the op takes. Default: f32. */
  dtypes?: readonly Word[];
  /** The body for f32, where it differs. */
  float?: string | undefined;
  /** Element type of the result. Default: that of the operands. */
  result?: Word;
  /** Shape of the result. Default: the joint shape. */
  shape?: readonly number[];
}

/** y = body(a, b) elementwise over broadcast shapes, not on the tape. The WGSL body sees `a` and `b`. */
export function mapBinary(
  op: string,
  body: string,
  a: Operand<Word>,
  b: Operand<Word>,
  options: MapOptions = {},
): Tensor<Word> {
  const { dtypes = ['f32'], float = body, result, shape } = options;
  const dtype = sharedType(op, a, b, dtypes);
  if (!dtype) {
    const first = tensor(a as number);
    const y = mapBinary(op, body, first, b, options);
    first.dispose();
    return y;
  }
  const [number, name] = typeof a === 'number' ? [a, 'a'] : typeof b === 'number' ? [b, 'b'] : [0, ''];
  const scalar = bitsOf(number, dtype, `${op}: ${name}`);
  const joint = broadcast(op, [a, b], shape);
  const tensors = {
    a: (a instanceof Tensor ? a : b) as Tensor<Word>,
    b: (b instanceof Tensor ? b : a) as Tensor<Word>,
  };
  const y = empty(joint.shape, { dtype: result ?? dtype, gpu: tensors.a.gpu });
  const { size, axes, vectors } = inVectors(y.size, joint);
  kernel.forward({ size, scalar, axes }, { ...tensors, y }, [size], {
    apply: `return ${dtype === 'f32' ? float : body};`,
    Element: ELEMENT[dtype],
    Result: ELEMENT[y.dtype],
    RANK: joint.rank,
    ...vectors,
    ...(name === 'a' && { first: 'return Elements(bitcast<Element>(params.scalar));' }),
    ...(name === 'b' && { second: 'return Elements(bitcast<Element>(params.scalar));' }),
  });
  return y;
}

const EACH = `return ${onLanes('Result', 'apply', (l) => `u.${l}, v.${l}`)};`;

/** Four neighbours along the last axis at a time, where its size and the strides of the other axes allow it. */
function inVectors(size: number, { axes }: Broadcast) {
  const [last, ...others] = Array.from({ length: axes.length / 4 }, (_, r) => axes.slice(4 * r, 4 * r + 4)) as [
    number[],
    ...number[][],
  ];
  // The operands that are not broadcast along it.
  const along = [1, 2].filter((operand) => last[operand] === 1);
  if (size === 0 || last[0]! % 4 !== 0 || others.some((axis) => along.some((operand) => axis[operand]! % 4 !== 0)))
    return { size, axes, vectors: null };
  const scaled = [
    last.map((n, i) => (i === 0 ? n / 4 : n)),
    ...others.map((axis) => axis.map((n, i) => (along.includes(i) ? n / 4 : n))),
  ];
  const type = (operand: number): string => (along.includes(operand) ? 'vec4<Element>' : 'Element');
  const vectors = {
    ElementsA: type(1),
    ElementsB: type(2),
    Elements: 'vec4<Element>',
    Results: 'vec4<Result>',
    applyAll: EACH,
  };
  return { size: size / 4, axes: scaled.flat(), vectors };
}

/** {@link mapBinary} with a gradient for f32. */
function binary(
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
      (dy) => {
        const parts = gradient(dy, a as Tensor, b as Tensor, y);
        return operands.flatMap((v, i) => (v instanceof Tensor ? [v.tracksGrad ? reduced(parts[i]!(), v) : null] : []));
      },
      { composed: true },
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

const power = binary('pow', 'powOf(a, b)', (dy, a, b, y) => [
  () => mul(dy, mul(b, power(a, lowered(a, b)))),
  () => {
    if (typeof a === 'number') return a <= 0 ? null : mul(dy, mul(y, Math.log(a)));
    const isZero = lessEqual(a, 0);
    return mul(dy, where(isZero, 0, mul(y, log(where(isZero, 1, a)))));
  },
]);

/** b - 1, but 0 where a = b = 0, so that b a^(b - 1) is 0 there. */
const lowered = binary('lowered', 'select(b - 1.0, 0.0, a == 0.0 && b == 0.0)', (dy) => [() => null, () => dy]);

/**
 * a to the power b, broadcast, f32; NaN where a < 0 and b is no integer, 1 where b = 0. Gradients: b a^(b - 1) with
 * respect to a, 0 where b = 0; a^b log(a) with respect to b, 0 where a <= 0. They are PyTorch's, but for the last rule:
 * where a < 0, and where a = 0 and b < 0, PyTorch's gradient with respect to b is not finite.
 */
export function pow(a: Operand, b: Operand): Tensor {
  return a instanceof Tensor && a.dtype === 'f32' && typeof b === 'number' ? powScalar(a, b) : power(a, b);
}

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

/** x repeated along axes of size 1 and new leading axes, to `shape`; any type of four bytes. */
export function expand<D extends Word>(x: Tensor<D>, shape: readonly number[]): Tensor<D> {
  const joint = broadcastShapes(x.shape, shape);
  if (!joint || !sameShape(joint, shape))
    throw new ShapeError(`expand: shape [${x.shape}] does not broadcast to [${shape}]`);
  if (sizeOf(shape) === x.size) return reshape(x, shape);
  expectOneOf(x, WORDS, 'expand: x');
  const y = mapBinary('expand', 'a', x, 0, { dtypes: WORDS, shape: [...shape] }) as Tensor;
  return record('expand', y, [x], (dy) => [sumTo(dy, x.shape)], { composed: true }) as Tensor<Word> as Tensor<D>;
}
