import { DisposedError } from './errors.ts';
import type { DeviceBuffer } from './pool.ts';

/** The owner of a storage, which takes its memory back. */
export interface Owner {
  /** Called when the last reference to the storage goes. */
  free(storage: Storage): void;
}

/**
 * A counted reference to device memory. Tensors that are views of each other share one. While a step is recorded, new
 * storages are only planned: they have no buffer until the replay gives them one.
 */
export class Storage {
  readonly bytes: number;
  buffer: DeviceBuffer | null;
  /** Start inside `buffer`; not 0 only for storages placed in the arena of a replay. */
  base = 0;
  /** Counts what was written into it, so that the tape finds values that changed between forward and backward. */
  version = 0;
  /** Allocated while a step was recorded: its memory is the replay's. */
  readonly planned: boolean;
  /** Shape and element type of the tensor that it was allocated for, for messages. */
  readonly label: string;
  readonly #owner: Owner | null;
  #references = 1;
  #fault: Error | null = null;
  #memory: DeviceBuffer | null = null;

  /** `owner` and `buffer`: null where it is planned. */
  constructor(bytes: number, label: string, owner: Owner | null = null, buffer: DeviceBuffer | null = null) {
    this.bytes = bytes;
    this.label = label;
    this.buffer = buffer;
    this.planned = owner === null;
    this.#owner = owner;
  }

  /** What failed, where the values are wrong because of it. It outlives the storage. */
  get fault(): Error | null {
    return this.#fault ?? this.memoryFault;
  }

  set fault(cause: Error | null) {
    this.#fault = cause;
  }

  /** Why its memory does not exist, where it does not. */
  get memoryFault(): Error | null {
    return (this.buffer ?? this.#memory)?.fault ?? null;
  }

  get isFreed(): boolean {
    return this.#references === 0;
  }

  retain(): this {
    if (this.#references === 0) throw new DisposedError('storage: used after it was freed');
    this.#references++;
    return this;
  }

  release(): void {
    if (this.#references === 0) return;
    if (--this.#references > 0) return;
    this.#memory = this.buffer;
    this.#owner?.free(this);
  }
}
