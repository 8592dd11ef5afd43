import kernel from '../../shaders/norms.wgsl';
import type { Gpu } from '../gpu/device.ts';
import { empty, tensor, type Tensor } from '../tensor/tensor.ts';

/** Order of a norm. */
export type NormType = 1 | 2 | typeof Infinity;

const VARIANTS = {
  1: { power: 'return abs(v);', root: 'return v;' },
  2: {},
  max: { power: 'return abs(v);', fold4: 'return largest4(acc, v);', fold: 'return largest(acc, v);', root: 'return v;' },
} as const;

/** Norms of segments of a flat array, computed on the device in two dispatches whatever their number. */
export class Norms {
  /** One norm a segment, after `record`. */
  readonly values: Tensor;
  readonly #variant: Partial<Record<'power' | 'fold4' | 'fold' | 'root', string>>;
  readonly #parts: Tensor<'u32'>;
  readonly #ends: Tensor<'u32'>;
  readonly #sums: Tensor;

  /** `segments` start at multiples of 4 elements, and what lies between their end and the next multiple of 4 is zero. */
  constructor(gpu: Gpu, segments: readonly { start: number; size: number }[], type: NormType = 2) {
    const parts: number[] = [];
    const ends = [0];
    for (const { start, size } of segments) {
      const [first, end] = [start / 4, Math.ceil((start + size) / 4)];
      // Neighbouring invocations read neighbouring quads.
      const stride = Math.ceil(Math.sqrt(end - first));
      for (let k = 0; k < stride; k++) parts.push(first + k, end, stride);
      ends.push(parts.length / 3);
    }
    this.#variant = type === Infinity ? VARIANTS.max : VARIANTS[type as 1 | 2];
    this.#parts = tensor(parts, { dtype: 'u32', gpu });
    this.#ends = tensor(ends, { dtype: 'u32', gpu });
    this.#sums = empty([parts.length / 3], { gpu });
    this.values = empty([segments.length], { gpu });
  }

  /** Records the norms of x, or with `weights` those of |weights| x. */
  record(x: Tensor, weights?: Tensor): void {
    const count = this.#sums.size;
    const weighted = weights && { weighted: 'return abs(w) * x;' };
    const { power, fold4, fold } = this.#variant;
    const folds = { ...(fold && { fold }) };
    kernel.partial({ count }, { parts: this.#parts, x, w: weights ?? x, y: this.#sums }, [count], { ...weighted, ...(power && { power }), ...(fold4 && { fold4 }), ...folds });
    const { root } = this.#variant;
    const segments = this.values.size;
    kernel.combine({ count: segments }, { ends: this.#ends, sums: this.#sums, y: this.values }, [segments], { ...folds, ...(root && { root }) });
  }

  dispose(): void {
    for (const t of [this.#parts, this.#ends, this.#sums, this.values]) t.dispose();
  }
}
