import type { Gpu } from './device.ts';
import { DisposedError } from './errors.ts';
import type { DeviceBuffer } from './pool.ts';

/**
 * A counted reference to device memory. Tensors that are views of each other share one. While a step is being captured,
 * new storages have no buffer yet: the capture assigns one to each after it has seen the whole step.
 */
export class Storage {
  readonly gpu: Gpu;
  readonly bytes: number;
  buffer: DeviceBuffer | null;
  /** Start inside `buffer`; not 0 only for storages placed in the arena of a capture. */
  base = 0;
  /** Counts what was written into it, so that the tape finds values that changed between forward and backward. */
  version = 0;
  /** Set while a capture decides about this storage; such memory never goes back to the pool. */
  planned = false;
  /** Shape and element type of what it was made for, for messages. */
  label = '';
  #references = 1;
  #fault: Error | null = null;
  #memory: DeviceBuffer | null = null;

  constructor(gpu: Gpu, bytes: number, buffer: DeviceBuffer | null) {
    this.gpu = gpu;
    this.bytes = bytes;
    this.buffer = buffer;
  }

  /** What failed, where the values are wrong because of it: see {@link Faults}. It outlives the storage. */
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
    this.gpu.free(this);
  }
}

/** What a kernel can bind: a byte range of a storage. */
export interface Bindable {
  readonly storage: Storage;
  readonly byteOffset: number;
  readonly byteLength: number;
}
