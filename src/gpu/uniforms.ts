import { USAGE } from './usage.ts';

const SLOT = 256;
const SLOTS = 256;

/** Uniform blocks by content: equal parameters share one immutable slot, so a repeated step writes none. */
export class UniformCache {
  readonly #device: GPUDevice;
  readonly #slots = new Map<string, GPUBufferBinding>();
  #chunk: GPUBuffer | null = null;
  #used = SLOTS;
  #chunks = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get(words: Uint32Array<ArrayBuffer>): GPUBufferBinding {
    const key = words.join();
    const known = this.#slots.get(key);
    if (known) return known;
    if (this.#used === SLOTS) {
      // Captured steps hold on to their own chunks; only the index is dropped here.
      if (this.#slots.size >= 64 * SLOTS) this.#slots.clear();
      this.#chunk = this.#device.createBuffer({
        label: `evenkeel uniforms ${this.#chunks++}`,
        size: SLOT * SLOTS,
        usage: USAGE.UNIFORM | USAGE.COPY_DST,
      });
      this.#used = 0;
    }
    const offset = SLOT * this.#used++;
    this.#device.queue.writeBuffer(this.#chunk!, offset, words);
    const slot = { buffer: this.#chunk!, offset, size: Math.ceil(words.byteLength / 16) * 16 };
    this.#slots.set(key, slot);
    return slot;
  }
}
