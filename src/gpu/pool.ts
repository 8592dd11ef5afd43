import type { Faults } from './faults.ts';
import { USAGE } from './usage.ts';

/** A GPUBuffer. */
export interface DeviceBuffer {
  readonly raw: GPUBuffer;
  /** Its number among those of its device, by which bind groups are cached. */
  readonly id: number;
  readonly size: number;
  /** Why it does not exist, when the device could not make it. */
  fault: Error | null;
}

/** Smallest allocation, and the alignment of every storage binding that the specification guarantees. */
export const ALIGN = 256;

/** `bytes` rounded up to a multiple of `to`. */
export function alignUp(bytes: number, to: number = ALIGN): number {
  return Math.ceil(bytes / to) * to;
}

/** Size class of an allocation: four steps an octave, so at most a quarter is lost. */
export function sizeClass(bytes: number): number {
  const least = Math.max(ALIGN, bytes);
  const step = 2 ** Math.max(8, Math.floor(Math.log2(least)) - 2);
  return alignUp(least, step);
}

/** Free device buffers by size class. A released buffer is reused; `trim` destroys those that are free. */
export class BufferPool {
  pooledBytes = 0;
  created = 0;
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #free = new Map<number, DeviceBuffer[]>();
  #isClosed = false;

  constructor(device: GPUDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  /** A buffer of at least `bytes` bytes. `describe` gives the error where the device had no memory for it. */
  acquire(bytes: number, describe: (cause: Error) => Error): DeviceBuffer {
    const size = sizeClass(bytes);
    const idle = this.#free.get(size)?.pop();
    if (idle) {
      this.pooledBytes -= size;
      return idle;
    }
    return this.create(size, describe);
  }

  /** A new buffer. */
  create(size: number, describe: (cause: Error) => Error): DeviceBuffer {
    const usage = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;
    const make = (): GPUBuffer => this.#device.createBuffer({ label: `evenkeel ${size} B`, size, usage });
    let made: DeviceBuffer | null = null;
    const failed = (cause: Error): void => {
      if (!made) return;
      made.fault = describe(cause);
      this.#discard(made);
      // Room for the next try.
      this.trim();
      this.#faults.spread();
    };
    made = { raw: this.#faults.watch(make, failed), id: ++this.created, size, fault: null };
    return made;
  }

  /** Takes a buffer back for reuse, unless its creation failed. */
  release(buffer: DeviceBuffer): void {
    if (buffer.fault) return;
    if (this.#isClosed) return buffer.raw.destroy();
    const list = this.#free.get(buffer.size);
    if (list) list.push(buffer);
    else this.#free.set(buffer.size, [buffer]);
    this.pooledBytes += buffer.size;
  }

  #discard(buffer: DeviceBuffer): void {
    const list = this.#free.get(buffer.size);
    const at = list?.indexOf(buffer) ?? -1;
    if (at < 0) return;
    list!.splice(at, 1);
    this.pooledBytes -= buffer.size;
  }

  /** Destroys the free buffers. */
  trim(): void {
    for (const list of this.#free.values()) for (const buffer of list) buffer.raw.destroy();
    this.#free.clear();
    this.pooledBytes = 0;
  }

  /** {@link trim}; from now on a buffer that is released is destroyed. */
  close(): void {
    this.trim();
    this.#isClosed = true;
  }
}
