import { USAGE } from './usage.ts';

/** A GPUBuffer with an identity, so that bind groups can be cached by it. */
export interface DeviceBuffer {
  readonly raw: GPUBuffer;
  readonly id: number;
  readonly size: number;
}

let nextId = 1;

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

/** Free device buffers by size class. A released buffer is handed out again; `trim` destroys what lies idle. */
export class BufferPool {
  pooledBytes = 0;
  created = 0;
  readonly #device: GPUDevice;
  readonly #free = new Map<number, DeviceBuffer[]>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  acquire(bytes: number): DeviceBuffer {
    const size = sizeClass(bytes);
    const idle = this.#free.get(size)?.pop();
    if (idle) {
      this.pooledBytes -= size;
      return idle;
    }
    return this.create(size);
  }

  create(size: number): DeviceBuffer {
    const usage = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;
    this.created++;
    return { raw: this.#device.createBuffer({ label: `evenkeel ${size} B`, size, usage }), id: nextId++, size };
  }

  release(buffer: DeviceBuffer): void {
    const list = this.#free.get(buffer.size);
    if (list) list.push(buffer);
    else this.#free.set(buffer.size, [buffer]);
    this.pooledBytes += buffer.size;
  }

  trim(): void {
    for (const list of this.#free.values()) for (const buffer of list) buffer.raw.destroy();
    this.#free.clear();
    this.pooledBytes = 0;
  }
}
