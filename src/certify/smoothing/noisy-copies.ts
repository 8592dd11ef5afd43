import kernel from '../../../shaders/noisy-copies.wgsl';
import type { Key } from '../../random/key.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { empty, type Tensor } from '../../tensor/tensor.ts';

/**
 * Five u32 that a captured step reads and the host writes before each run: [first row, copies of an input, number of
 * the first copy, rows in all, first row of the counts].
 */
export type CopyState = Tensor<'u32'>;

/** Four elements at a time, for sizes that are multiples of four. */
const VECTORS = { Element: 'vec4f', readX: 'return x[i >> 2u];', writeY: 'y[i >> 2u] = v;' };

/**
 * Rows state[0] .. of the noisy copies of `inputs` (n, ...features), one after the other: (rows, ...features); streams:
 * (n) u32.
 */
export function noisyCopies(
  inputs: Tensor,
  streams: Tensor<'u32'>,
  state: CopyState,
  key: Key,
  { rows, sigma }: { rows: number; sigma: number },
): Tensor {
  const features = inputs.shape.slice(1);
  const y = empty([rows, ...features], { gpu: inputs.gpu });
  const size = sizeOf(features);
  kernel.draw(
    { key0: key[0], key1: key[1], rows, size, sigma },
    { state, x: inputs, streams, y },
    [Math.ceil(size / 4), rows],
    size % 4 === 0 ? VECTORS : {},
  );
  return y;
}

/**
 * counts[state[4] + input of row r, class of row r of `logits`] += 1 for the rows that belong to an input; logits:
 * (rows, classes), counts: (.., classes) u32. A row with a NaN, or with an infinity that two share as its largest, is a
 * vote for no class.
 */
export function countVotes(logits: Tensor, counts: Tensor<'u32'>, state: CopyState): void {
  const [rows, classes] = logits.shape as [number, number];
  kernel.count({ key0: 0, key1: 0, rows, size: classes, sigma: 0 }, { state, logits, counts }, [rows]);
}
