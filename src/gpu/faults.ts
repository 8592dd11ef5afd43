import { GpuError, OutOfMemoryError } from './errors.ts';

/**
 * The kinds of error that WebGPU reports, the innermost scope last: all of them, and those of operations that make no
 * memory and compile nothing.
 */
const ALL = ['validation', 'internal', 'out-of-memory'] as const;
const OF_USE = ['validation'] as const;

/** Work on memory, as the faults of that memory see it. */
export interface Work {
  /** Passes faults on: results of faulty memory are faulty; memory that it overwrites as a whole is valid. */
  spread(): void;
}

/** An operation that the device has not answered for yet. */
interface Operation {
  readonly failed: (cause: Error) => void;
  readonly work: Work | null;
  error: Error | GPUError | null;
  /** Error scopes still to be answered. */
  scopes: number;
  /** Called once all operations up to this one are settled. */
  readonly settled: (() => void)[];
}

/**
 * Finds the operations of a device that failed. Each runs between error scopes of its own; WebGPU answers later.
 * Operations are settled in the order in which they ran: the `failed` of one that failed marks the memory that it left
 * wrong, and `spread` passes the mark on to what was computed from that memory since. So a read of such memory rejects,
 * and nothing else does.
 *
 * A scope costs some three microseconds, most of it in `popErrorScope`, so an operation opens no more than it needs.
 */
export class Faults {
  readonly #device: GPUDevice;
  readonly #open: Operation[] = [];
  #any = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** False until the first failure: then no memory is faulty, and none need be looked at. */
  get any(): boolean {
    return this.#any;
  }

  /** Resolves once the device has reported on all operations so far. */
  answered(): Promise<void> {
    const last = this.#open.at(-1);
    return last ? new Promise((resolve) => void last.settled.push(resolve)) : Promise.resolve();
  }

  /**
   * Runs an operation that makes memory or compiles. `failed` learns of an error that it throws, or that the device
   * reports for it later. `work`: what it does to memory, where failures of earlier operations concern it.
   */
  watch<T>(run: () => T, failed: (cause: Error) => void, work: Work | null = null): T {
    return this.#watch(run, failed, work, ALL);
  }

  /** {@link watch} for an operation that makes no memory and compiles nothing. */
  use<T>(run: () => T, failed: (cause: Error) => void, work: Work | null = null): T {
    return this.#watch(run, failed, work, OF_USE);
  }

  /** Passes on the faults of memory to all later operations; for `failed`, when it has marked some. */
  spread(): void {
    for (const { work } of this.#open) work?.spread();
  }

  #watch<T>(run: () => T, failed: (cause: Error) => void, work: Work | null, filters: readonly GPUErrorFilter[]): T {
    const operation: Operation = { failed, work, error: null, scopes: filters.length, settled: [] };
    this.#open.push(operation);
    for (const filter of filters) this.#device.pushErrorScope(filter);
    try {
      return run();
    } catch (error) {
      operation.error = error instanceof Error ? error : new GpuError(String(error));
      throw error;
    } finally {
      const answer = (error: Error | GPUError | null): void => this.#answer(operation, error);
      for (let i = 0; i < filters.length; i++) this.#device.popErrorScope().then(answer, answer);
    }
  }

  #answer(operation: Operation, error: Error | GPUError | null): void {
    operation.error ??= error;
    operation.scopes--;
    while (this.#open[0]?.scopes === 0) {
      const { error, failed, settled } = this.#open.shift()!;
      if (error) {
        this.#any = true;
        failed(asError(error));
      }
      for (const done of settled) done();
    }
  }
}

function asError(error: Error | GPUError): Error {
  if (error instanceof Error) return error;
  const isMemory = typeof GPUOutOfMemoryError !== 'undefined' && error instanceof GPUOutOfMemoryError;
  return isMemory ? new OutOfMemoryError(`the device is out of memory: ${error.message}`) : new GpuError(error.message);
}
