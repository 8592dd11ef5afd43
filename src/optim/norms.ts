import kernel from '../../shaders/norms.wgsl';
import type { Gpu } from '../gpu/device.ts';
import { lanesFor } from '../gpu/lanes.ts';
import { empty, tensor, type Tensor } from '../tensor/tensor.ts';

interface Order {
  readonly partial: Partial<Record<'power' | 'fold4' | 'fold', string>>;
  readonly combine: Partial<Record<'fold4' | 'fold' | 'root', string>>;
}

const ABS = { power: 'return abs(v);' };
const ITSELF = { root: 'return v;' };
const LARGEST = { fold: 'return maxOf(acc, v);', fold4: 'return maxOf4(acc, v);' };
/** Quads of a part. */
const PART = 256;

/** The orders that there are. */
const ORDERS: ReadonlyMap<number, Order> = new Map([
  [1, { partial: ABS, combine: ITSELF }],
  [2, { partial: {}, combine: {} }],
  [Infinity, { partial: { ...ABS, ...LARGEST }, combine: { ...LARGEST, ...ITSELF } }],
]);

/** Norms of segments of a flat array, computed on the device in two dispatches whatever their number. */
export class Norms {
  /** One norm a segment, after `record`. */
  readonly values: Tensor;
  readonly #order: Order;
  readonly #parts: Tensor<'u32'>;
  readonly #ends: Tensor<'u32'>;
  readonly #sums: Tensor;
  /** The most parts of a segment. */
  readonly #most: number;

  /**
   * `segments` start at multiples of 4 elements, and what lies between their end and the next multiple of 4 is zero.
   * `type`, the order, is 1, 2 or Infinity.
   */
  constructor(gpu: Gpu, segments: readonly { start: number; size: number }[], type = 2) {
    const parts: number[] = [];
    const ends = [0];
    for (const { start, size } of segments) {
      const [first, end] = [start / 4, Math.ceil((start + size) / 4)];
      for (let k = first; k < end; k += PART) parts.push(k, Math.min(k + PART, end));
      ends.push(parts.length / 2);
    }
    this.#most = Math.max(...ends.slice(1).map((end, s) => end - ends[s]!));
    this.#order = ORDERS.get(type)!;
    this.#parts = tensor(parts, { dtype: 'u32', gpu });
    this.#ends = tensor(ends, { dtype: 'u32', gpu });
    this.#sums = empty([parts.length / 2], { gpu });
    this.values = empty([segments.length], { gpu });
  }

  /** Records the norms of x, or with `weights` those of |weights| x. */
  record(x: Tensor, weights?: Tensor): void {
    const { partial, combine } = this.#order;
    const sums = this.#sums;
    const [count, segments] = [sums.size, this.values.size];
    const lanes = lanesFor(x.gpu, count, 4 * PART);
    kernel.partial({ count }, { parts: this.#parts, x, w: weights ?? x, y: sums }, lanes.grid, {
      ...partial,
      ...lanes.variant,
      ...(weights && { weighted: 'return abs(w) * x;' }),
    });
    const over = lanesFor(x.gpu, segments, this.#most);
    const buffers = { ends: this.#ends, sums, y: this.values };
    kernel.combine({ count: segments }, buffers, over.grid, { ...combine, ...over.variant });
  }

  dispose(): void {
    for (const t of [this.#parts, this.#ends, this.#sums, this.values]) t.dispose();
  }
}
