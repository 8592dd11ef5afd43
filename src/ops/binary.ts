import kernel from '../../shaders/binary.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import { broadcastShapes, broadcastStrides, sameShape, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, tensor, Tensor } from '../tensor/tensor.ts';
import { sumTo } from './reduce.ts';
import { reshape } from './reshape.ts';
import { log, neg, square } from './unary.ts';

/** A tensor, or a number that is broadcast. */
export type Operand = Tensor | number;

/** Gradients of one elementwise function of two arguments. */
type Gradient = (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => [da: () => Tensor | null, db: () => Tensor | null];

/** y = body(a, b) elementwise over broadcast shapes. The WGSL body sees `a`, `b` and the scalar `p`. */
function binary(op: string, body: string, gradient: Gradient): (a: Operand, b: Operand) => Tensor {
  return (first, second) => {
    const [a, b] = operands(op, first, second);
    const y = launch(op, `return ${body};`, a, b);
    return record(
      op,
      y,
      [a, b],
      (dy) => {
        const [da, db] = gradient(dy, a, b, y);
        return [
          a.tracksGrad ? reduced(da(), a) : null,
          b.tracksGrad ? reduced(db(), b) : null,
        ];
      },
      { composed: true },
    );
  };
}

function reduced(d: Tensor | null, like: Tensor): Tensor | null {
  return d && sumTo(d, like.shape);
}

function operands(op: string, a: Operand, b: Operand): [Tensor, Tensor] {
  const gpu = a instanceof Tensor ? a.gpu : b instanceof Tensor ? b.gpu : undefined;
  const [x, y] = [a, b].map((v) => (v instanceof Tensor ? v : tensor(v, { gpu }))) as [Tensor, Tensor];
  expectDType(x, 'f32', `${op}: a`);
  expectDType(y, 'f32', `${op}: b`);
  return [x, y];
}

function launch(op: string, apply: string, a: Tensor, b: Tensor, shape = broadcastShapes(a.shape, b.shape), p = 0): Tensor {
  if (!shape) throw new ShapeError(`${op}: shapes [${a.shape}] and [${b.shape}] do not broadcast; sizes must be equal or 1, counted from the last axis`);
  const y = empty(shape, { gpu: a.gpu });
  const merged = mergeAxes(shape, broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape));
  if (merged.shape.length > 4) throw new ShapeError(`${op}: broadcasting [${a.shape}] with [${b.shape}] needs ${merged.shape.length} separate axes, at most 4 are supported; reshape or expand first`);
  const pad = (v: number[], fill: number): number[] => [...new Array(4 - v.length).fill(fill), ...v];
  kernel.forward(
    { size: y.size, p, shape: pad(merged.shape, 1), strideA: pad(merged.a, 0), strideB: pad(merged.b, 0) },
    { a, b, y },
    [y.size],
    { apply, RANK: merged.shape.length },
  );
  return y;
}

/** Drops axes of size 1 and joins neighbours that both operands step through without a jump. */
function mergeAxes(shape: readonly number[], a: readonly number[], b: readonly number[]): { shape: number[]; a: number[]; b: number[] } {
  const out = { shape: [] as number[], a: [] as number[], b: [] as number[] };
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    const n = out.shape[0];
    if (n !== undefined && a[i] === out.a[0]! * n && b[i] === out.b[0]! * n) {
      out.shape[0] = n * shape[i]!;
    } else {
      out.shape.unshift(shape[i]!);
      out.a.unshift(a[i]!);
      out.b.unshift(b[i]!);
    }
  }
  return out.shape.length ? out : { shape: [1], a: [0], b: [0] };
}

/** a + b, broadcast. */
export const add = binary('add', 'a + b', (dy) => [() => dy, () => dy]);

/** a - b, broadcast. */
export const sub = binary('sub', 'a - b', (dy) => [() => dy, () => neg(dy)]);

/** a * b, broadcast. */
export const mul = binary('mul', 'a * b', (dy, a, b) => [() => mul(dy, b), () => mul(dy, a)]);

/** a / b, broadcast. */
export const div = binary('div', 'a / b', (dy, a, b) => [() => div(dy, b), () => neg(div(mul(dy, a), square(b)))]);

/** a to the power b, broadcast; a > 0 unless b is an integer. The gradient with respect to b is 0 where a = 0. */
export const pow = binary(
  'pow',
  // pow of a negative base is undefined in WGSL; integer exponents keep their sign rule, and x^0 = 1 for every x.
  'select(select(pow(abs(a), b), select(1.0, -1.0, fract(abs(b) * 0.5) == 0.5) * pow(abs(a), b), a < 0.0), 1.0, b == 0.0)',
  (dy, a, b, y) => [
    () => mul(dy, mul(b, pow(a, sub(b, 1)))),
    () => mul(dy, mul(y, mul(log(maskedOne(a, a)), greater(a, 0)))),
  ],
);

/** The larger of a and b, broadcast; where they are equal each gets half of the gradient. */
export const maximum = binary('maximum', 'max(a, b)', (dy, a, b) => [() => mul(dy, share(a, b)), () => mul(dy, share(b, a))]);

/** The smaller of a and b, broadcast; where they are equal each gets half of the gradient. */
export const minimum = binary('minimum', 'min(a, b)', (dy, a, b) => [() => mul(dy, share(b, a)), () => mul(dy, share(a, b))]);

const constant = (): [() => null, () => null] => [() => null, () => null];

/** 1 where a > b, 1/2 where equal, else 0: the part of a maximum's gradient that goes to a. */
const share = binary('share', 'select(select(0.0, 0.5, a == b), 1.0, a > b)', constant);

/** a where b > 0, else 1: keeps log finite where its factor is 0. */
const maskedOne = binary('maskedOne', 'select(1.0, a, b > 0.0)', constant);

/** 1 where a > b, else 0. No gradient. */
export const greater = binary('greater', 'select(0.0, 1.0, a > b)', constant);

/** 1 where a >= b, else 0. No gradient. */
export const greaterEqual = binary('greaterEqual', 'select(0.0, 1.0, a >= b)', constant);

/** 1 where a < b, else 0. No gradient. */
export const less = binary('less', 'select(0.0, 1.0, a < b)', constant);

/** 1 where a <= b, else 0. No gradient. */
export const lessEqual = binary('lessEqual', 'select(0.0, 1.0, a <= b)', constant);

/** 1 where a = b, else 0. No gradient. */
export const equal = binary('equal', 'select(0.0, 1.0, a == b)', constant);

/** 1 where a = b, else 0, as f32: the factor of a gradient. */
export const equalMask = binary('equalMask', 'select(0.0, 1.0, a == b)', constant);

/** a where b > 0, else 0: the gradient of relu. */
export const maskPositive: (a: Operand, b: Operand) => Tensor = binary('maskPositive', 'select(0.0, a, b > 0.0)', (dy, _a, b) => [() => maskPositive(dy, b), () => null]);

/** x repeated along axes of size 1 and new leading axes, to `shape`. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  const joint = broadcastShapes(x.shape, shape);
  if (!joint || !sameShape(joint, shape)) throw new ShapeError(`expand: shape [${x.shape}] does not broadcast to [${shape}]`);
  if (sizeOf(shape) === x.size) return reshape(x, shape);
  return record('expand', launch('expand', 'return a;', x, x, [...shape]), [x], (dy) => [sumTo(dy, x.shape)], { composed: true });
}
