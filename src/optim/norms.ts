import kernel from '../../shaders/norms.wgsl';
import type { Gpu } from '../gpu/device.ts';
import { empty, tensor, type Tensor } from '../tensor/tensor.ts';

interface Order {
  readonly partial: Partial<Record<'power' | 'fold4' | 'fold', string>>;
  readonly combine: Partial<Record<'fold' | 'root', string>>;
}

const ABS = { power: 'return abs(v);' };
const ITSELF = { root: 'return v;' };
const LARGEST = { fold: 'return maxOf(acc, v);' };

/** The orders that there are. */
const ORDERS: ReadonlyMap<number, Order> = new Map([
  [1, { partial: ABS, combine: ITSELF }],
  [2, { partial: {}, combine: {} }],
  [Infinity, { partial: { ...ABS, ...LARGEST, fold4: 'return maxOf4(acc, v);' }, combine: { ...LARGEST, ...ITSELF } }],
]);

/** Norms of segments of a flat array, computed on the device in two dispatches whatever their number. */
export class Norms {
  /** One norm a segment, after `record`. */
  readonly values: Tensor;
  readonly #order: Order;
  readonly #parts: Tensor<'u32'>;
  readonly #ends: Tensor<'u32'>;
  readonly #sums: Tensor;

  /**
   * `segments` start at multiples of 4 elements, and what lies between their end and the next multiple of 4 is zero.
   * `type`, the order, is 1, 2 or Infinity.
   */
  constructor(gpu: Gpu, segments: readonly { start: number; size: number }[], type = 2) {
    const parts: number[] = [];
    const ends = [0];
    for (const { start, size } of segments) {
      const [first, end] = [start / 4, Math.ceil((start + size) / 4)];
      // Neighbouring invocations read neighbouring quads.
      const stride = Math.ceil(Math.sqrt(end - first));
      for (let k = 0; k < stride; k++) parts.push(first + k, end, stride);
      ends.push(parts.length / 3);
    }
    this.#order = ORDERS.get(type)!;
    this.#parts = tensor(parts, { dtype: 'u32', gpu });
    this.#ends = tensor(ends, { dtype: 'u32', gpu });
    this.#sums = empty([parts.length / 3], { gpu });
    this.values = empty([segments.length], { gpu });
  }

  /** Records the norms of x, or with `weights` those of |weights| x. */
  record(x: Tensor, weights?: Tensor): void {
    const { partial, combine } = this.#order;
    const sums = this.#sums;
    const [count, segments] = [sums.size, this.values.size];
    kernel.partial(
      { count },
      { parts: this.#parts, x, w: weights ?? x, y: sums },
      [count],
      weights ? { ...partial, weighted: 'return abs(w) * x;' } : partial,
    );
    kernel.combine({ count: segments }, { ends: this.#ends, sums, y: this.values }, [segments], combine);
  }

  dispose(): void {
    for (const t of [this.#parts, this.#ends, this.#sums, this.values]) t.dispose();
  }
}
