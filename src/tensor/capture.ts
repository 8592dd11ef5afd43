import { expectOptions } from '../check/options.ts';
import { firstPipelines } from '../gpu/commands.ts';
import { currentGpu, type Gpu } from '../gpu/device.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import type { Pipeline } from '../gpu/pipeline.ts';
import { fusedPlan, Replay } from '../gpu/replay.ts';
import type { Storage } from '../gpu/storage.ts';
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
 * what varies from run to run (data, learning rate, step number, random counter) must lie in tensors created before,
 * which the host writes between runs. Temporaries share memory by liveness. `step` is synchronous and must not read.
 */
export function capture<T>(step: () => T, options: { gpu?: Gpu } = {}): Captured<T> {
  expectOptions('capture', options, ['gpu']);
  const { gpu = currentGpu() } = options;
  gpu.expectLive('capture');
  return unscoped(() => {
    const { value: made, recording } = gpu.recorder.record('capture', () => withStorages(scope(step)));
    return new Captured(made.value, new Replay(gpu, recording, made.kept));
  });
}

/**
 * Compiles every pipeline that the first run of `step` launches, all at once and without blocking the page, so that it
 * does not wait for one after the other. The step is recorded and thrown away: nothing runs on the device, but code on
 * the host does; a gradient that it gives to a tensor outside a model holds nothing.
 */
export async function prepare(step: () => unknown, options: { gpu?: Gpu } = {}): Promise<void> {
  expectOptions('prepare', options, ['gpu']);
  await Promise.all(rehearse(step, options.gpu).map((p) => p.compile()));
}

/** Records `step` and throws the recording away, as `prepare`; returns the pipelines that a first run needs. */
export function rehearse(step: () => unknown, gpu: Gpu = currentGpu()): Pipeline[] {
  // What the step returns belongs to the outer scope, which frees it.
  return scope(() => {
    const { value: made, recording } = gpu.recorder.record('prepare', () => withStorages(scope(step)));
    const { commands } = fusedPlan(gpu, recording, made.kept);
    recording.release();
    return firstPipelines(commands);
  });
}

/** What a step returned, and the memory of the tensors in it, which is read afterwards. */
function withStorages<T>(value: T): { value: T; kept: Set<Storage> } {
  return { value, kept: new Set(Array.from(tensorsIn(value), (t) => (t as Tensor).storage)) };
}
