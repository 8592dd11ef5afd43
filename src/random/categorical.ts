import kernel from '../../shaders/categorical.wgsl';
import { any, checkOptions, integer, worded } from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { lanesFor } from '../gpu/lanes.ts';
import { sizeOf } from '../tensor/shape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { DRAW, HOST_DRAW, placeOf, type DrawOptions, type HostDrawOptions } from './draw.ts';
import type { Key } from './key.ts';
import { logOf, unitOpen } from './box-muller.ts';
import { philox } from './philox.ts';

/** What says how likely each class is: logits, or probabilities that need not sum to one. Never guessed. */
export type ClassWeights<T> = { logits: T; probs?: never } | { probs: T; logits?: never };

const f = Math.fround;

function weightsOf<T>(op: string, weights: ClassWeights<T>): { name: string; x: T } {
  checkOptions<{ logits?: T; probs?: T }>(op, weights, { logits: any, probs: any });
  const { logits, probs } = weights;
  if ((logits === undefined) === (probs === undefined)) {
    throw new TypeError(
      `${op}: got ${logits === undefined ? 'neither logits nor probs' : 'both logits and probs'}, expected one of them`,
    );
  }
  return logits === undefined ? { name: 'probs', x: probs! } : { name: 'logits', x: logits };
}

/**
 * A class for each row of `logits` or `probs` (items, ..., classes), i32 (count, ...); item n takes row n % items, so
 * that one row and a count of 1000 give 1000 draws. (classes) gives (count), or a scalar without `count`. Exact up to
 * 23 bits a class (the maximum of logit + Gumbel noise); a logit more than 19.4 below the largest is never drawn, nor a
 * probability of 0. A row that is no distribution gives -1, no class: one with a NaN or Infinity, with a negative
 * probability, or without a class above
 * -Infinity or 0. No gradient.
 */
export function categorical(
  weights: ClassWeights<Tensor>,
  key: Key,
  given: Omit<DrawOptions, 'gpu'> & { count?: number } = {},
): Tensor<'i32'> {
  const { stream, first } = DRAW;
  checkOptions('categorical', given, { count: worded(integer(0), 'a non-negative integer'), stream, first });
  const { count, ...options } = given;
  const { name, x } = weightsOf('categorical', weights);
  expectDType(x, 'f32', `categorical: ${name}`);
  const classes = x.shape.at(-1) ?? 0;
  if (classes === 0)
    throw new ShapeError(
      `categorical: ${name} has shape [${x.shape}], expected (items, ..., classes) with at least one class`,
    );
  const isRow = x.rank === 1;
  const items = isRow ? 1 : x.shape[0]!;
  const draws = count ?? items;
  if (items === 0 && draws > 0)
    throw new ShapeError(`categorical: ${name} has shape [${x.shape}], expected at least one item`);
  const inside = x.shape.slice(1, -1);
  const { gpu, state, place } = placeOf(key, [draws, ...inside], { ...options, gpu: x.gpu });
  const { size: rows, ...rest } = place;
  const y = empty(isRow && count === undefined ? [] : [draws, ...inside], { dtype: 'i32', gpu });
  const lanes = lanesFor(gpu, y.size, classes);
  const variant = { PROBS: Number(name === 'probs'), ...lanes.variant };
  kernel.forward({ ...rest, rows, classes, items }, { state, x, y }, lanes.grid, variant);
  return y;
}

/**
 * Host version of {@link categorical} for weights of shape (items, rows, classes), row by row; `count` items are drawn
 * (default: all).
 */
export function hostCategorical(
  weights: ClassWeights<ArrayLike<number>>,
  shape: readonly [items: number, rows: number, classes: number],
  key: Key,
  options: HostDrawOptions & { count?: number } = {},
): Int32Array<ArrayBuffer> {
  checkOptions('hostCategorical', options, { ...HOST_DRAW, count: any });
  const { stream = 0, first = 0, count = shape[0] } = options;
  const { name, x } = weightsOf('hostCategorical', weights);
  const [items, rows, classes] = shape;
  if (x.length !== sizeOf(shape))
    throw new ShapeError(
      `hostCategorical: ${name} has ${x.length} values, expected ${sizeOf(shape)} for shape [${shape}]`,
    );
  return Int32Array.from({ length: count * rows }, (_, i) => {
    const item = Math.floor(i / rows);
    const base = (item % items) * rows * classes;
    let [best, chosen] = [0, 0];
    const row = Float32Array.from({ length: classes }, (_, c) => x[base + (i % rows) * classes + c]!);
    const isValid =
      row.every((v) => v < Infinity && (name === 'logits' || v >= 0)) &&
      row.some((v) => v > (name === 'logits' ? -Infinity : 0));
    let words: readonly number[] = [];
    for (let c = 0; c < classes; c++) {
      const at = (i % rows) * classes + c;
      if (c === 0 || at % 4 === 0) words = philox([Math.floor(at / 4), first + item, stream, 0], key);
      const wait = -logOf(unitOpen(words[at % 4]!));
      const v = row[c]!;
      const score = name === 'probs' ? f(v / wait) : f(v - logOf(wait));
      if (c === 0 || score > best) [best, chosen] = [score, c];
    }
    return isValid ? chosen : -1;
  });
}
