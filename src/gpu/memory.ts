import { GpuError, OutOfMemoryError } from './errors.ts';
import type { BufferPool, DeviceBuffer } from './pool.ts';
import { Storage, type Owner } from './storage.ts';

/** Exact bytes of device memory. */
export interface MemoryReport {
  /** Held by live tensors and captured steps. */
  live: number;
  /** Free in the pool, ready for reuse. */
  pooled: number;
  /** The most that was live at any time. */
  peak: number;
  /** Small constants of the library, created once and kept. */
  constants: number;
}

/** The memory of a device, counted: storages from the pool, arenas of replays, and constants that are kept. */
export class Memory implements Owner {
  readonly #pool: BufferPool;
  /** Bytes of storages and of arenas. */
  #live = 0;
  #peak = 0;
  #constantBytes = 0;
  readonly #storages = new Set<Storage>();
  readonly #constants = new Map<string, { readonly storage: Storage }>();

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  get report(): MemoryReport {
    return { live: this.#live, pooled: this.#pool.pooledBytes, peak: this.#peak, constants: this.#constantBytes };
  }

  /** A storage of `bytes` bytes; `label` says what for. */
  allocate(bytes: number, label: string): Storage {
    const buffer = this.#pool.acquire(bytes, (cause) => this.#noMemory(`a tensor of ${label}`, bytes, cause));
    const storage = new Storage(bytes, label, this, buffer);
    this.#storages.add(storage);
    this.#grow(bytes);
    return storage;
  }

  free(storage: Storage): void {
    this.#live -= storage.bytes;
    this.#storages.delete(storage);
    this.#pool.release(storage.buffer!);
    storage.buffer = null;
  }

  /**
   * What `make` returns, created once under its name and kept, and created afresh if a failed operation overwrote it.
   * It does not count as live.
   */
  constant<T extends { readonly storage: Storage }>(name: string, make: () => T): T {
    const known = this.#constants.get(name);
    if (known && !known.storage.fault) return known as T;
    const before = this.#live;
    const made = make();
    this.#constants.set(name, made);
    this.#constantBytes += this.#live - before;
    this.#live = before;
    return made;
  }

  createArena(size: number): DeviceBuffer {
    const arena = this.#pool.create(size, (cause) => this.#noMemory('the temporaries of a captured step', size, cause));
    this.#grow(size);
    return arena;
  }

  destroyArena(arena: DeviceBuffer): void {
    this.#live -= arena.size;
    arena.raw.destroy();
  }

  #grow(bytes: number): void {
    this.#live += bytes;
    this.#peak = Math.max(this.#peak, this.#live);
  }

  /** What to say when the device had no memory for `what`. */
  #noMemory(what: string, bytes: number, cause: Error): Error {
    const largest = [...this.#storages].sort((a, b) => b.bytes - a.bytes).slice(0, 10);
    const held = largest.map((s) => `${s.label}: ${s.bytes}`).join(', ') || 'none';
    const message =
      `no device memory for ${what}, ${bytes} bytes, beside ${this.#live} live bytes (the largest tensors, in bytes: ` +
      `${held})`;
    const Type = cause instanceof OutOfMemoryError ? OutOfMemoryError : GpuError;
    return new Type(`${message}; use smaller batches, or dispose of tensors: ${cause.message}`, { cause });
  }
}
