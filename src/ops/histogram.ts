import kernel from '../../shaders/histogram.wgsl';
import { expectOptions } from '../check/options.ts';
import { record } from '../tensor/tape.ts';
import { expectDType, expectShape, tensor, zeros, type Tensor, viewOf } from '../tensor/tensor.ts';
import { expectOneOf } from './element.ts';
import { indexSelect } from './gather.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';

/** Bins of equal width. */
export interface HistogramOptions {
  /** How many. */
  numBins: number;
  /** Left edge of the first bin. */
  low: number;
  /** Right edge of the last bin. */
  high: number;
}

function expectCount(n: number, what: string): void {
  if (!(Number.isInteger(n) && n >= 1)) throw new RangeError(`${what} is ${n}, expected an integer >= 1`);
}

/**
 * How many elements of x lie in each of `bins` bins of equal width from `low` to `high`; u32 (bins), no gradient. A bin
 * holds its left edge, the last one also its right edge; what lies outside, and NaN, is not counted, as in NumPy. The
 * edges are low + i (high - low) / bins, computed in f64 and rounded to f32.
 */
export function histogram(x: Tensor, options: HistogramOptions): Tensor<'u32'> {
  expectOptions('histogram', options, ['numBins', 'low', 'high']);
  const { numBins, low, high } = options;
  expectDType(x, 'f32', 'histogram: x');
  expectCount(numBins, 'histogram: numBins');
  if (!(low < high && Number.isFinite(high - low)))
    throw new RangeError(`histogram: low is ${low} and high ${high}, expected finite numbers with low < high`);
  const edges = tensor(
    Float32Array.from({ length: numBins + 1 }, (_, i) => (i === numBins ? high : low + (i * (high - low)) / numBins)),
    { gpu: x.gpu },
  );
  const y = zeros([numBins], { dtype: 'u32', gpu: x.gpu });
  kernel.edges({ size: x.size, bins: numBins, chunk: 0, parts: 0 }, { x, edgeOf: edges, y }, [x.size]);
  edges.dispose();
  return y;
}

/** Pieces of so many elements that have sums of their own, and the most sums. */
const [PIECE, SUMS] = [256, 2 ** 20];

/** Pieces in which to take weighted sums of `size` elements. */
function piecesOf(classes: number, size: number): number {
  if (size <= 2 * PIECE) return 1;
  return Math.min(256, Math.ceil(size / PIECE), Math.max(1, Math.floor(SUMS / classes)));
}

/** Which classes to count, and how. */
export interface BincountOptions<W extends Tensor | undefined> {
  /** How many classes: 0..classes-1. */
  numClasses: number;
  /** What each element adds, f32 in the shape of x. Default: 1. */
  weights?: W;
}

/**
 * How often each of 0..classes-1 occurs in x, i32 or u32 of any shape: u32 (classes), or with `weights` the sum of
 * those of its elements, f32 (classes), in a fixed order, without atomics, and with a gradient for the weights. Labels
 * outside are not counted.
 */
export function bincount<W extends Tensor | undefined = undefined>(
  x: Tensor<'i32' | 'u32'>,
  options: BincountOptions<W>,
): Tensor<W extends Tensor ? 'f32' : 'u32'> {
  expectOptions('bincount', options, ['numClasses', 'weights']);
  const { numClasses, weights } = options;
  type Result = Tensor<W extends Tensor ? 'f32' : 'u32'>;
  const labels = x as Tensor<'i32'>;
  expectOneOf(labels, ['i32', 'u32'], 'bincount: x');
  expectCount(numClasses, 'bincount: numClasses');
  const { size, gpu } = labels;
  if (!weights) {
    const y = zeros([numClasses], { dtype: 'u32', gpu });
    kernel.classes({ size, bins: numClasses, chunk: 0, parts: 0 }, { labels, y }, [size]);
    return y as unknown as Result;
  }
  expectDType(weights, 'f32', 'bincount: weights');
  expectShape(weights, labels.shape, 'bincount: weights');
  const parts = piecesOf(numClasses, size);
  const sums = zeros([parts, numClasses], { gpu });
  const shares = gpu.tuning.sharesUnder > 0;
  kernel[shares ? 'weightedShared' : 'weighted'](
    { size, bins: numClasses, chunk: Math.ceil(size / parts), parts },
    { labels, weights, sums },
    [size === 0 ? 0 : shares ? 64 * parts : parts],
  );
  const y = sum(sums, { axes: 0 });
  sums.dispose();
  const spread = (dy: Tensor): Tensor => reshape(indexSelect(dy, viewOf(labels, [size])), weights.shape);
  return record('bincount', y, [weights], { gradient: (dy) => [spread(dy)] }) as unknown as Result;
}
