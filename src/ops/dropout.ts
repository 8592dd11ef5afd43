import kernel from '../../shaders/dropout.wgsl';
import { between, checkOptions } from '../check/check.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { mul } from './binary.ts';

/** Where the masks of a step come from. */
export interface RandomSource {
  /** A key of `evenkeel/random`. */
  key: readonly [number, number];
  /** u32 (2 or more): number of the first item, and the stream; it must not change before the gradient is taken. */
  first: Tensor<'u32'>;
}

/** Rules of the options of {@link dropout}. */
export const DROPOUT = { p: between(0, 1) } as const;

/**
 * x with each element times zero with probability `p` (default 0.5), the others times 1 / (1 - p). x: (items, ...); the
 * mask of item n depends on (key, stream, first + n) alone, so that a captured step whose `first` moves draws anew.
 * Srivastava et al., JMLR 2014, in PyTorch's inverted form.
 */
export function dropout(x: Tensor, { key, first }: RandomSource, options: { p?: number } = {}): Tensor {
  checkOptions('dropout', options, DROPOUT);
  const { p = 0.5 } = options;
  expectDType(x, 'f32', 'dropout: x');
  expectDType(first, 'u32', 'dropout: first');
  if (p === 0) return x;
  if (p === 1) return mul(x, 0);
  const y = empty(x.shape, { gpu: x.gpu });
  const count = x.shape[0] ?? 1;
  const size = sizeOf(x.shape.slice(1));
  const params = {
    key0: key[0],
    key1: key[1],
    count,
    size,
    threshold: Math.min(2 ** 32 - 1, Math.round(p * 2 ** 32)),
    scale: 1 / (1 - p),
  };
  kernel.forward(params, { x, first, y }, [count * Math.ceil(size / 4)]);
  return record('dropout', y, [x], { gradient: (dy) => [dropout(dy, { key, first }, { p })] });
}

/** The place in the stream for the next `items` items: a copy of `state`, whose count moves on, on the device. */
export function nextItems(state: Tensor<'u32'>, items: number): Tensor<'u32'> {
  const drawn = empty([2], { dtype: 'u32', gpu: state.gpu });
  kernel.advance({ key0: 0, key1: 0, count: items, size: 0, threshold: 0, scale: 1 }, { state, drawn }, [1]);
  return drawn;
}
