import { MAP_READ, USAGE } from './usage.ts';
import { alignUp } from './pool.ts';

/** Buffers that the host maps to read from, kept for the next time. */
export class Readback {
  readonly #device: GPUDevice;
  readonly #idle: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer of at least `bytes` bytes, to copy to. */
  take(bytes: number): GPUBuffer {
    const at = this.#idle.findIndex((b) => b.size >= bytes && b.size <= 4 * bytes + 4096);
    if (at >= 0) return this.#idle.splice(at, 1)[0]!;
    const size = 2 ** Math.ceil(Math.log2(Math.max(4096, bytes)));
    return this.#device.createBuffer({ label: 'evenkeel readback', size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
  }

  /** Its first `bytes` bytes once the work before is done; then it is idle again. */
  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const mapped = alignUp(Math.max(8, bytes), 8);
    await buffer.mapAsync(MAP_READ, 0, mapped);
    const out = buffer.getMappedRange(0, mapped).slice(0, bytes);
    buffer.unmap();
    this.#idle.push(buffer);
    return out;
  }

  destroy(): void {
    for (const buffer of this.#idle) buffer.destroy();
  }
}
