import type { Faults } from './faults.ts';
import { MAP_READ, USAGE } from './usage.ts';
import { alignUp } from './pool.ts';

/** A range on its way to the host. */
export interface Reading {
  readonly target: GPUBuffer;
  readonly bytes: number;
  /** What failed, where the values are wrong because of it. */
  fault: Error | null;
}

/** Buffers that the host maps to read from, kept for the next time. */
export class Readback {
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #idle: GPUBuffer[] = [];

  constructor(device: GPUDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  /** A reading of `bytes` bytes, to copy to. */
  take(bytes: number): Reading {
    const at = this.#idle.findIndex((b) => b.size >= bytes && b.size <= 4 * bytes + 4096);
    if (at >= 0) return { target: this.#idle.splice(at, 1)[0]!, bytes, fault: null };
    let reading: Reading | null = null;
    const target = this.#create(bytes, (cause) => reading && (reading.fault = cause));
    return (reading = { target, bytes, fault: null });
  }

  #create(bytes: number, failed: (cause: Error) => void): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(4096, bytes)));
    const make = (): GPUBuffer =>
      this.#device.createBuffer({ label: 'evenkeel readback', size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
    return this.#faults.watch(make, failed);
  }

  /** Its bytes once the work before it is done and no error of it was reported; then its buffer is free. */
  async read(reading: Reading): Promise<ArrayBuffer> {
    const { target, bytes } = reading;
    const mapped = alignUp(Math.max(8, bytes), 8);
    const map = this.#faults.use(
      () => target.mapAsync(MAP_READ, 0, mapped),
      (cause) => (reading.fault ??= cause),
    );
    const answered = this.#faults.answered();
    try {
      await map;
      const out = target.getMappedRange(0, mapped).slice(0, bytes);
      target.unmap();
      await answered;
      if (!reading.fault) {
        this.#idle.push(target);
        return out;
      }
    } catch (error) {
      await answered;
      target.destroy();
      throw reading.fault ?? error;
    }
    target.destroy();
    throw reading.fault;
  }

  destroy(): void {
    for (const buffer of this.#idle) buffer.destroy();
  }
}
