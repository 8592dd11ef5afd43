import kernel from '../../../shaders/reduce.wgsl';
import { ShapeError } from '../../gpu/errors.ts';
import { lanesFor } from '../../gpu/lanes.ts';
import type { DType } from '../../tensor/dtype.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { empty, type Tensor, viewOf } from '../../tensor/tensor.ts';
import { axisOf } from '../arguments.ts';
import { ELEMENT, expectOneOf, NUMERIC, type Numeric, type Word } from '../element.ts';

/** WGSL of a reduction; every part has a default in the shader: a sum of the elements as they are. */
export interface Fold {
  /** From the first element, `first`, which is not valid when there is none. */
  start?: string;
  /** Of an element `v`. */
  map?: string;
  /** Of `acc` and `v`. */
  combine?: string;
  /** Of the result `acc`. */
  finish?: string;
  /** The largest magnitude so far of `most` and an element `v`, as bits: for a `combine` that may pass over NaN. */
  noted?: string;
  /** `params.p` in map and finish. */
  p?: number;
}

/** Product of the elements. */
export const PRODUCT: Fold = { start: 'return Out(1);', combine: 'return acc * v;' };
// They start from the first element, as WGSL constants cannot express -Infinity.
/** Largest element. */
export const LARGEST: Fold = { start: 'return first;', combine: 'return max(acc, v);' };
/** Smallest element. */
export const SMALLEST: Fold = { start: 'return first;', combine: 'return min(acc, v);' };
/** For a maximum or minimum of f32, so that NaN is not passed over. */
export const NOTED = 'return max(most, bitcast<u32>(v) & 0x7fffffffu);';

/** Fewest elements of a piece, most pieces and most rows of a long reduction that is split in two passes. */
const CHUNK = 256;
const PIECES = 1024;
const ROWS = 65_536;

/** Pieces in which to reduce `length` elements to each of `results`. No piece is empty. */
export function partsOf(results: number, length: number): number {
  if (results >= 4096 || length <= 2 * CHUNK) return 1;
  return nonEmpty(Math.min(PIECES, Math.ceil(length / CHUNK), Math.ceil(ROWS / Math.max(1, results))), length);
}

/** The same for a fold by lanes, which alone keep a GPU busy where there are some rows of neighbours. */
function piecesOf(outer: number, length: number, inner: number): number {
  return inner === 1 && outer >= 1024 ? 1 : partsOf(outer * inner, length);
}

/** Pieces of equal size, but the last, that cover `length`. */
function nonEmpty(parts: number, length: number): number {
  return Math.ceil(length / Math.ceil(length / parts));
}

/** Shape with the axes set to 1. */
export function keptShape(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((d, i) => (axes.includes(i) ? 1 : d));
}

/** Reduces axes of x from last to first; neighbouring axes go in one pass. Returns the keepDim shape's result. */
export function fold<D extends Word>(
  x: Tensor<Word>,
  axes: readonly number[],
  { start, map, combine, finish, noted, p = 0 }: Fold,
  dtype: D,
): Tensor<D> {
  const groups: number[][] = [];
  for (const a of axes) {
    const last = groups.at(-1);
    if (last && last.at(-1) === a - 1) last.push(a);
    else groups.push([a]);
  }
  if (groups.length === 0) groups.push([]);
  let current: Tensor<Word> = x;
  const temporary: Tensor<Word>[] = [];
  const pass = (
    outer: number,
    length: number,
    inner: number,
    parts: number,
    shape: readonly number[],
    isLast: boolean,
  ): void => {
    const y = empty(shape, { dtype, gpu: x.gpu });
    const maps = current === x ? { In: ELEMENT[x.dtype], ...(map && { map }) } : { In: ELEMENT[dtype] };
    const variant = {
      ...maps,
      Out: ELEMENT[dtype],
      ...(start && { start }),
      ...(combine && { combine }),
      ...(noted && { noted }),
      ...(isLast && finish && { finish }),
    };
    const chunk = Math.ceil(length / parts);
    const lanes = lanesFor(x.gpu, outer * parts * inner, chunk, inner);
    const params = { outer, length, inner, chunk, parts, p };
    if (lanes.variant.PARTS === 1) kernel.plain(params, { x: current, y }, lanes.grid, variant);
    else kernel.forward(params, { x: current, y }, lanes.grid, { ...variant, ...lanes.variant });
    temporary.push(y);
    current = y;
  };
  for (const [at, group] of [...groups.entries()].reverse()) {
    const shape = current.shape;
    const first = group[0] ?? shape.length;
    const outer = sizeOf(shape.slice(0, first));
    const length = sizeOf(group.map((a) => shape[a]!));
    const inner = sizeOf(shape.slice(first + group.length));
    const parts = piecesOf(outer, length, inner);
    if (parts > 1) pass(outer, length, inner, parts, [outer, parts, inner], false);
    pass(outer, parts > 1 ? parts : length, inner, 1, keptShape(shape, group), at === 0);
  }
  for (const t of temporary) if (t !== current) t.dispose();
  return current as Tensor<D>;
}

/** `y` without the reduced axes, in its place. */
export function dropped<D extends DType>(y: Tensor<D>, axes: readonly number[], keepDim: boolean): Tensor<D> {
  if (keepDim) return y;
  const out = viewOf(
    y,
    y.shape.filter((_, i) => !axes.includes(i)),
  );
  y.dispose();
  return out;
}

/** Throws a ShapeError when a reduced axis is empty. */
export function expectElements(op: string, x: Tensor<Word>, axes: readonly number[]): void {
  if (axes.some((a) => x.shape[a] === 0))
    throw new ShapeError(`${op}: x has shape [${x.shape}], a reduced axis is empty`);
}

/**
 * Index along an axis, or in all of x, of the element that no other is `ahead` of (WGSL of `v` and `acc`), the first of
 * equals.
 */
export function arg(op: string, x: Tensor<Numeric>, axis: number | null, ahead: string): Tensor<'u32'> {
  expectOneOf(x, NUMERIC, `${op}: x`);
  const {
    axis: a,
    outer,
    length,
    inner,
  } = axis === null ? { axis: -1, outer: 1, length: x.size, inner: 1 } : axisOf(op, x, axis);
  if (length === 0)
    throw new ShapeError(
      axis === null ? `${op}: x of shape [${x.shape}] is empty` : `${op}: axis ${axis} of shape [${x.shape}] is empty`,
    );
  const y = empty(axis === null ? [] : x.shape.filter((_, i) => i !== a), { dtype: 'u32', gpu: x.gpu });
  const parts = piecesOf(outer, length, inner);
  const chunk = Math.ceil(length / parts);
  const params = { outer, length, inner, chunk, parts, p: 0 };
  const better = `return ${x.dtype === 'f32' ? `!isNan(acc) && (isNan(v) || ${ahead})` : ahead};`;
  const variant = { In: x.dtype, Out: x.dtype, better, ARG: 1 };
  const found = parts > 1 ? empty([outer, parts, inner], { dtype: 'u32', gpu: x.gpu }) : y;
  const lanes = lanesFor(x.gpu, outer * parts * inner, chunk, inner);
  kernel.arg(params, { x, index: found }, lanes.grid, { ...variant, ...lanes.variant });
  if (found !== y) {
    const over = lanesFor(x.gpu, outer * inner, parts, inner);
    kernel.argOf(params, { x, found, index: y }, over.grid, { ...variant, ...over.variant });
    found.dispose();
  }
  return y;
}
