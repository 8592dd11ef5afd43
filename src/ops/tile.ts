import { check, integer, listOf } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import type { DType } from '../tensor/dtype.ts';
import { stridesOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { type Tensor, viewOf } from '../tensor/tensor.ts';
import { axisOf } from './arguments.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { copyOut } from './strided.ts';

/** x seen in `shape`, whose axes `repeats` step by 0, then in `to`. The gradient sums over those axes. */
function repeated<D extends DType>(
  op: string,
  x: Tensor<D>,
  shape: readonly number[],
  repeats: readonly number[],
  to: readonly number[],
): Tensor<D> {
  const own = stridesOf(shape.map((d, i) => (repeats.includes(i) ? 1 : d)));
  const copy = copyOut(op, x, { shape, strides: own.map((s, i) => (repeats.includes(i) ? 0 : s)), offset: 0 });
  const y = viewOf(copy, to);
  copy.dispose();
  return record(op, y, [x], {
    gradient: (dy) => [reshape(sum(reshape(dy, shape), { axes: repeats }), x.shape)],
  });
}

/**
 * x repeated repeats[i] times along axis i, as PyTorch's tile: of two lists of different length the shorter is filled
 * with ones in front. Any dtype of four bytes; the gradient sums over the copies.
 */
export function tile<D extends DType>(x: Tensor<D>, repeats: readonly number[]): Tensor<D> {
  check('tile', { repeats }, listOf(integer(0)));
  const rank = Math.max(x.rank, repeats.length);
  const fill = (list: readonly number[]): number[] => [...new Array<number>(rank - list.length).fill(1), ...list];
  const [times, sizes] = [fill(repeats), fill(x.shape)];
  return repeated(
    'tile',
    x,
    times.flatMap((r, i) => [r, sizes[i]!]),
    times.map((_, i) => 2 * i),
    times.map((r, i) => r * sizes[i]!),
  );
}

/** Each element of x repeated `repeats` times in a row along `axis` (default 0). The gradient sums over the copies. */
export function repeatInterleave<D extends DType>(
  x: Tensor<D>,
  repeats: number,
  options: { axis?: number } = {},
): Tensor<D> {
  expectOptions('repeatInterleave', options, ['axis']);
  const { axis = 0 } = options;
  check('repeatInterleave', { repeats }, integer(0));
  const { axis: a } = axisOf('repeatInterleave', x, axis);
  return repeated(
    'repeatInterleave',
    x,
    [...x.shape.slice(0, a + 1), repeats, ...x.shape.slice(a + 1)],
    [a + 1],
    x.shape.map((d, i) => (i === a ? d * repeats : d)),
  );
}
