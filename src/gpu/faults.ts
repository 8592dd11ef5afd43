import { GpuError, OutOfMemoryError } from './errors.ts';
import { storagesOf, writtenBy, type Command } from './recorder.ts';
import type { Storage } from './storage.ts';

/**
 * The kinds of error that WebGPU reports, of which the last wins where an operation makes several: all of them, or
 * those of small ones.
 */
const ALL = ['validation', 'internal', 'out-of-memory'] as const;
const OF_USE = ['validation'] as const;

/** Work that the device has not vouched for yet, in order: a submit, or a host write that covers a storage. */
type Entry = { readonly commands: readonly Command[] } | { readonly written: Storage };

/**
 * Finds the memory that a failure of the device left wrong. Each operation runs between error scopes of its own; WebGPU
 * answers later, in order. What a failed submit should have written is tainted with the cause, and so is all that was
 * computed from it since; a read of it rejects, and nothing else does. A storage is clean again once the host has
 * written it as a whole.
 */
export class Faults {
  readonly #device: GPUDevice;
  #answered: Promise<void> = Promise.resolve();
  #open: Entry[] = [];
  /** False until the first failure: then nothing need be looked at. */
  #any = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** True once something failed. */
  get any(): boolean {
    return this.#any;
  }

  /** Settles once the device has answered for all operations so far. */
  get answered(): Promise<void> {
    return this.#answered;
  }

  /**
   * Runs an operation; `failed` learns of an error that it throws, or that the device reports for it later. `done`:
   * there was none. Each scope costs a microsecond or two, so `filters` has those that the operation can need.
   */
  watch<T>(
    run: () => T,
    failed: (cause: Error) => void,
    { done, filters = ALL }: { done?: () => void; filters?: readonly GPUErrorFilter[] } = {},
  ): T {
    for (const filter of filters) this.#device.pushErrorScope(filter);
    let thrown: Error | null = null;
    try {
      return run();
    } catch (error) {
      thrown = error instanceof Error ? error : new GpuError(String(error));
      throw error;
    } finally {
      const answers = filters.map(() => this.#device.popErrorScope().catch((error: Error) => error));
      this.#answered = Promise.all([this.#answered, ...answers]).then(([, ...errors]) => {
        const error = thrown ?? errors.find((e) => e !== null);
        if (error) {
          this.#any = true;
          failed(asError(error));
        } else done?.();
      });
    }
  }

  /** {@link watch} for an operation that makes no memory and compiles nothing. */
  use<T>(run: () => T, failed: (cause: Error) => void): T {
    return this.watch(run, failed, { filters: OF_USE });
  }

  /**
   * Runs `submit`, which sends commands to the queue. An error, thrown or reported, taints what they write; none
   * escapes.
   */
  submit(commands: readonly Command[], submit: () => void, failed: (cause: Error) => void): void {
    const entry = { commands };
    this.#open.push(entry);
    if (this.#any) spread(commands);
    const close = (): void => {
      const later = this.#open.findIndex((e, i) => i > this.#open.indexOf(entry) && 'commands' in e);
      this.#open.splice(0, later < 0 ? this.#open.length : later);
    };
    try {
      this.watch(
        submit,
        (error) => {
          // An operation that failed before, on what the commands use, is the first cause.
          const cause = commands.map(faultOf).find((fault) => fault !== null) ?? error;
          for (const command of commands) for (const target of writtenBy(command)) target.fault = cause;
          failed(cause);
          this.#replay(this.#open.indexOf(entry) + 1);
          close();
        },
        { done: close },
      );
    } catch {
      // `failed` learns of it in its turn.
    }
  }

  /** Runs a write of the host, to all of the storage or a part. */
  write(storage: Storage, isWhole: boolean, run: () => void): void {
    const entry = { written: storage };
    if (isWhole && this.#any) storage.fault = null;
    if (isWhole && this.#open.length) this.#open.push(entry);
    this.use(run, (cause) => {
      const at = this.#open.indexOf(entry);
      if (at >= 0) this.#open.splice(at, 1);
      storage.fault = cause;
      this.spread();
    });
  }

  /** Some memory turned out to be wrong: what was computed from it is tainted. */
  spread(): void {
    this.#replay(0);
  }

  #replay(from: number): void {
    for (const entry of this.#open.slice(from)) {
      if ('commands' in entry) spread(entry.commands);
      else entry.written.fault = null;
    }
  }
}

/** Taints what commands write from tainted memory, in their order. */
function spread(commands: readonly Command[]): void {
  for (const command of commands) {
    const cause = faultOf(command);
    if (cause) for (const target of writtenBy(command)) target.fault ??= cause;
    else if (command.kind === 'clear' && command.offset === 0 && command.bytes === command.storage.bytes)
      command.storage.fault = null;
  }
}

/** The fault of the first tainted storage that a command uses; a clear of all of one uses nothing of it. */
function faultOf(command: Command): Error | null {
  if (command.kind === 'clear' && command.offset === 0 && command.bytes === command.storage.bytes)
    return command.storage.memoryFault;
  for (const storage of storagesOf(command)) if (storage.fault) return storage.fault;
  if (command.kind === 'dispatch' && command.uniform?.fault) return command.uniform.fault;
  return null;
}

function asError(error: Error | GPUError): Error {
  if (error instanceof Error) return error;
  const isMemory = typeof GPUOutOfMemoryError !== 'undefined' && error instanceof GPUOutOfMemoryError;
  return isMemory ? new OutOfMemoryError(`the device is out of memory: ${error.message}`) : new GpuError(error.message);
}
