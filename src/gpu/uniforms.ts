import type { Faults } from './faults.ts';
import { USAGE } from './usage.ts';

const SLOT = 256;
const SLOTS = 256;

/** Where a block of parameters lies. */
export interface Uniform extends GPUBufferBinding {
  /** Why its contents are wrong, where they are. */
  fault: Error | null;
}

/** Uniform blocks by content: equal parameters share one immutable slot, so a repeated step writes none. */
export class UniformCache {
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #slots = new Map<string, Uniform>();
  #chunk: GPUBuffer | null = null;
  #used = SLOTS;
  #chunks = 0;

  constructor(device: GPUDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  /** Starts new chunks, since memory of those in use may not exist. */
  clear(): void {
    this.#slots.clear();
    this.#used = SLOTS;
  }

  get(words: Uint32Array<ArrayBuffer>): Uniform {
    const key = words.join();
    const known = this.#slots.get(key);
    if (known) return known;
    if (this.#used === SLOTS) {
      // Captured steps hold on to their own chunks; only the index is dropped here.
      if (this.#slots.size >= 64 * SLOTS) this.#slots.clear();
      const label = `evenkeel uniforms ${this.#chunks++}`;
      const make = (): GPUBuffer =>
        this.#device.createBuffer({ label, size: SLOT * SLOTS, usage: USAGE.UNIFORM | USAGE.COPY_DST });
      // Submits that use it fail as well, and say why.
      this.#chunk = this.#faults.watch(make, () => this.clear());
      this.#used = 0;
    }
    const offset = SLOT * this.#used++;
    const slot: Uniform = { buffer: this.#chunk!, offset, size: Math.ceil(words.byteLength / 16) * 16, fault: null };
    const write = (): void => this.#device.queue.writeBuffer(this.#chunk!, offset, words);
    this.#faults.use(write, (cause) => {
      slot.fault = cause;
      this.clear();
      this.#faults.spread();
    });
    this.#slots.set(key, slot);
    return slot;
  }
}
