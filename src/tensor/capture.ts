import { expectOptions } from '../check/options.ts';
import type { Replay } from '../gpu/capture.ts';
import { currentGpu, type Gpu } from '../gpu/device.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { scope, tensorsIn, unscoped } from './scope.ts';
import type { Tensor } from './tensor.ts';

/** A step that was recorded once and can be run again in one submit. `value` is what the step returned. */
export class Captured<T> {
  readonly value: T;
  readonly #replay: Replay;

  constructor(value: T, replay: Replay) {
    this.value = value;
    this.#replay = replay;
  }

  /** Dispatches of one run. */
  get dispatches(): number {
    return this.#replay.dispatches;
  }

  /** Bytes held for the temporaries of the step. */
  get bytes(): number {
    return this.#replay.bytes;
  }

  /** The most bytes of temporaries that live at one time: what a perfect plan would hold. */
  get bound(): number {
    return this.#replay.bound;
  }

  /** Runs the step again: the same commands on the same memory. Tensors in `value` then hold the new results. */
  run(): T {
    this.#replay.run();
    return this.value;
  }

  /** Frees the memory of the step, its outputs included. Idempotent. */
  dispose(): void {
    for (const t of tensorsIn(this.value)) (t as Tensor).dispose();
    this.#replay.dispose();
  }

  [symbolDispose](): void {
    this.dispose();
  }
}

/**
 * Records what `step` launches, runs it once, and returns it ready to run again. Shapes and control flow are fixed;
 * what varies from run to run (data, learning rate, step number, random counter) must lie in tensors made before, which
 * the host writes between runs. Temporaries share memory by liveness. `step` is synchronous and must not read.
 */
export function capture<T>(step: () => T, options: { gpu?: Gpu } = {}): Captured<T> {
  expectOptions('capture', options, ['gpu']);
  const { gpu = currentGpu() } = options;
  const { value, replay } = unscoped(() =>
    gpu.capture(
      () => scope(step),
      (result) => [...tensorsIn(result)].map((t) => (t as Tensor).storage),
    ),
  );
  return new Captured(value, replay);
}

/**
 * Compiles every pipeline that the first run of `step` launches, all at once and without blocking the page, so that it
 * does not wait for one after the other. The step is recorded and thrown away: nothing runs on the device, but code on
 * the host does; a gradient that it gives to a tensor outside a model holds nothing.
 */
export async function prepare(step: () => unknown, options: { gpu?: Gpu } = {}): Promise<void> {
  expectOptions('prepare', options, ['gpu']);
  const { gpu = currentGpu() } = options;
  const pipelines = unscoped(() => gpu.rehearse(() => void scope(() => void step())));
  await Promise.all(pipelines.map((p) => p.compile()));
}
