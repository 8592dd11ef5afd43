import kernel from '../../shaders/anomaly.wgsl';
import { expectOptions } from '../check/options.ts';
import { currentGpu, type Gpu } from '../gpu/device.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { NonFiniteError } from '../gpu/errors.ts';
import { within } from './ambient.ts';
import type { DType } from './dtype.ts';
import { scope, tensorsIn, unscoped } from './scope.ts';
import { tensor, zeros, type Tensor } from './tensor.ts';

const NONE = 0xffffffff;

/** A word on the device that is not 0 where one of the tensors holds a NaN or an infinity. */
export function wildIn(...tensors: readonly Tensor[]): Tensor<'u32'> {
  const found = zeros([1], { dtype: 'u32', gpu: tensors[0]!.gpu });
  for (const t of tensors) markNonFinite(t, found);
  return found;
}

/** Sets the word `found` to 1 where a value of x is a NaN or an infinity, by its bits. */
export function markNonFinite(x: Tensor, found: Tensor<'u32'>): void {
  kernel.mark({ size: x.size, op: 0 }, { x, first: found }, [x.size]);
}

/**
 * Finds the op that first produced a NaN or an infinity: while `run` is under way, one more dispatch tests the bits of
 * every result and every gradient. It works within a captured step too; there the ops are tested again in each run.
 */
export class AnomalyWatch {
  readonly gpu: Gpu;
  readonly #first: Tensor<'u32'>;
  readonly #ops: { op: string; shape: readonly number[]; site: string }[] = [];

  constructor(gpu: Gpu) {
    this.gpu = gpu;
    this.#first = unscoped(() => tensor([NONE], { dtype: 'u32', gpu }));
  }

  /** Runs `fn` with every op inspected. */
  run<T>(fn: () => T): T {
    return within('watch', this, fn);
  }

  /** Tests one result; what is not f32, or on another device, passes. */
  inspect(op: string, y: Tensor<DType>): void {
    if (y.dtype !== 'f32' || y.gpu !== this.gpu) return;
    if (y.size > 0) kernel.inspect({ size: y.size, op: this.#ops.length }, { x: y, first: this.#first }, [y.size]);
    this.#ops.push({ op, shape: y.shape, site: this.gpu.debug ? `\n${new Error('called here').stack}` : '' });
  }

  /** The number of the first result with a value that is not finite since the last call, and the kind; null: none. */
  async first(): Promise<{ index: number; kind: 'NaN' | 'infinity' } | null> {
    const found = (await this.#first.read())[0]!;
    if (found === NONE) return null;
    this.#first.write([NONE]);
    return { index: found >>> 1, kind: found & 1 ? 'infinity' : 'NaN' };
  }

  /** Rejects with a NonFiniteError that names the first op with a value that is not finite since the last check. */
  async check(): Promise<void> {
    const found = await this.first();
    if (!found) return;
    const { op, shape, site } = this.#ops[found.index]!;
    throw new NonFiniteError(
      `${op} gave ${found.kind === 'NaN' ? 'a NaN' : 'an infinity'} in its result of shape [${shape}]; the ` +
        `${found.index} results before it were finite${site}`,
    );
  }

  dispose(): void {
    this.#first.dispose();
  }

  [symbolDispose](): void {
    this.dispose();
  }
}

/**
 * Runs `fn` and names the op that first produced a value that is not finite: rejects with a NonFiniteError, and frees
 * what `fn` returned. Gradients count as results ("gradient of log with respect to input 0"). Costs one dispatch an op;
 * with `init({ debug: true })` the error holds the place of the call.
 */
export async function detectAnomaly<T>(fn: () => T, options: { gpu?: Gpu } = {}): Promise<T> {
  expectOptions('detectAnomaly', options, ['gpu']);
  const { gpu = currentGpu() } = options;
  using watch = new AnomalyWatch(gpu);
  const value = watch.run(() => scope(fn));
  try {
    await watch.check();
  } catch (error) {
    for (const t of tensorsIn(value)) (t as Tensor).dispose();
    throw error;
  }
  return value;
}

/**
 * The first tensor, in order, with a NaN or an infinity, found by its bits: one dispatch each and one read. -1 where
 * there is none.
 */
export async function firstNonFinite(tensors: readonly Tensor[]): Promise<number> {
  if (tensors.length === 0) return -1;
  using watch = new AnomalyWatch(tensors[0]!.gpu);
  for (const x of tensors) watch.inspect('', x);
  return (await watch.first())?.index ?? -1;
}
