import kernel from '../../shaders/reduce.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import { normalizeAxes, sameShape, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { div, equalMask, expand, mul } from './binary.ts';
import { reshape } from './reshape.ts';
import { sqrt, square } from './unary.ts';

/** Which axes to reduce. */
export interface ReduceOptions {
  /** Axes, negative from the end. Default: all. */
  axes?: readonly number[] | number;
  /** Keep the reduced axes with size 1. Default: false. */
  keepDim?: boolean;
}

type Fold = { start: string; combine: string };

const SUM: Fold = { start: 'return 0.0;', combine: 'return acc + v;' };
// The finite sentinel stands for -Infinity, which WGSL constants cannot express.
const MAX: Fold = { start: 'return -3.4e38;', combine: 'return max(acc, v);' };
const MIN: Fold = { start: 'return 3.4e38;', combine: 'return min(acc, v);' };

/** Elements one invocation folds when a long reduction to few results is split in two passes. */
const CHUNK = 256;

/** Reduces axes of x from last to first; neighbouring axes go in one pass. Returns the keepDim shape's result. */
function fold(op: string, x: Tensor, axes: readonly number[], { start, combine }: Fold, scale = 1): Tensor {
  expectDType(x, 'f32', `${op}: x`);
  let current = x;
  const groups: number[][] = [];
  for (const a of axes) {
    const last = groups.at(-1);
    if (last && last.at(-1) === a - 1) last.push(a);
    else groups.push([a]);
  }
  const temporary: Tensor[] = [];
  const pass = (input: Tensor, outer: number, length: number, inner: number, parts: number, shape: readonly number[], factor: number): Tensor => {
    const y = empty(shape, { gpu: x.gpu });
    kernel.forward({ outer, length, inner, chunk: Math.ceil(length / parts), parts, scale: factor }, { x: input, y }, [outer * parts * inner], { start, combine });
    temporary.push(y);
    return y;
  };
  for (const [at, group] of [...groups.entries()].reverse()) {
    const shape = current.shape;
    const first = group[0]!;
    const outer = sizeOf(shape.slice(0, first));
    const length = sizeOf(group.map((a) => shape[a]!));
    const inner = sizeOf(shape.slice(group.at(-1)! + 1));
    const out = shape.map((d, i) => (group.includes(i) ? 1 : d));
    const factor = at === 0 ? scale : 1;
    const parts = outer * inner < 4096 && length > 2 * CHUNK ? Math.min(256, Math.ceil(length / CHUNK)) : 1;
    if (parts === 1) current = pass(current, outer, length, inner, 1, out, factor);
    else current = pass(pass(current, outer, length, inner, parts, [outer, parts, inner], 1), outer, parts, inner, 1, out, factor);
  }
  if (groups.length === 0) current = pass(x, x.size, 1, 1, 1, x.shape, scale);
  for (const t of temporary) if (t !== current) t.dispose();
  return current;
}

function axesOf(op: string, x: Tensor, axes: ReduceOptions['axes']): number[] {
  const wanted = axes === undefined ? x.shape.map((_, i) => i) : typeof axes === 'number' ? [axes] : axes;
  const found = normalizeAxes(wanted, x.rank);
  if (!found) throw new ShapeError(`${op}: axes are [${wanted}], expected different axes of a tensor of shape [${x.shape}]`);
  return found;
}

/** `y` without the reduced axes, in its place. */
function dropped(y: Tensor, axes: readonly number[], keepDim: boolean): Tensor {
  if (keepDim) return y;
  const out = y.view(y.shape.filter((_, i) => !axes.includes(i)));
  y.dispose();
  return out;
}

function summed(op: string, x: Tensor, { axes, keepDim = false }: ReduceOptions, scaleOf: (count: number) => number): Tensor {
  const over = axesOf(op, x, axes);
  const scale = scaleOf(sizeOf(over.map((a) => x.shape[a]!)));
  const kept = x.shape.map((d, i) => (over.includes(i) ? 1 : d));
  const y = dropped(fold(op, x, over, SUM, scale), over, keepDim);
  return record(op, y, [x], (dy) => [expand(reshape(scale === 1 ? dy : mul(dy, scale), kept), x.shape)], { composed: true });
}

/** Sum over axes. Sum of no elements is 0. */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return summed('sum', x, options, () => 1);
}

/** Mean over axes. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return summed('mean', x, options, (n) => 1 / n);
}

function extreme(op: string, x: Tensor, { axes, keepDim = false }: ReduceOptions, how: Fold): Tensor {
  const over = axesOf(op, x, axes);
  if (over.some((a) => x.shape[a] === 0)) throw new ShapeError(`${op}: x has shape [${x.shape}], a reduced axis is empty`);
  const kept = x.shape.map((d, i) => (over.includes(i) ? 1 : d));
  const y = dropped(fold(op, x, over, how), over, keepDim);
  return record(
    op,
    y,
    [x],
    (dy) => {
      const mask = equalMask(x, y.view(kept));
      return [mul(mask, expand(div(reshape(dy, kept), sum(mask, { axes: over, keepDim: true })), x.shape))];
    },
    { composed: true },
  );
}

/** Largest element over axes; equal maxima share the gradient evenly, as PyTorch's amax. */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  return extreme('max', x, options, MAX);
}

/** Smallest element over axes; equal minima share the gradient evenly, as PyTorch's amin. */
export function min(x: Tensor, options: ReduceOptions = {}): Tensor {
  return extreme('min', x, options, MIN);
}

function arg(op: string, x: Tensor, axis: number, better: string): Tensor<'u32'> {
  expectDType(x, 'f32', `${op}: x`);
  const [a] = axesOf(op, x, axis);
  const length = x.shape[a!]!;
  if (length === 0) throw new ShapeError(`${op}: axis ${axis} of shape [${x.shape}] is empty`);
  const outer = sizeOf(x.shape.slice(0, a));
  const inner = sizeOf(x.shape.slice(a! + 1));
  const y = empty(x.shape.filter((_, i) => i !== a), { dtype: 'u32', gpu: x.gpu });
  kernel.arg({ outer, length, inner, chunk: 0, parts: 1, scale: 1 }, { x, index: y }, [outer * inner], { better });
  return y;
}

/** Index of the largest element along `axis` (default: the last), the first of equals. u32, no gradient. */
export function argmax(x: Tensor, { axis = -1 }: { axis?: number } = {}): Tensor<'u32'> {
  return arg('argmax', x, axis, 'return v > acc;');
}

/** Index of the smallest element along `axis` (default: the last), the first of equals. u32, no gradient. */
export function argmin(x: Tensor, { axis = -1 }: { axis?: number } = {}): Tensor<'u32'> {
  return arg('argmin', x, axis, 'return v < acc;');
}

/** Euclidean norm over axes, sqrt(sum x^2). */
export function norm(x: Tensor, options: ReduceOptions = {}): Tensor {
  return sqrt(sum(square(x), options));
}

/** x summed over the axes that broadcasting `shape` to x's shape has added or repeated. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const pad = x.rank - shape.length;
  const axes = x.shape.map((_, i) => i).filter((i) => i < pad || (shape[i - pad] === 1 && x.shape[i] !== 1));
  return reshape(sum(x, { axes, keepDim: true }), shape);
}
