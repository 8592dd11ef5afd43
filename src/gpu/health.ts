import { DeviceLostError, DisposedError, GpuError, OutOfMemoryError } from './errors.ts';

/** Milliseconds within which a device tells that it was lost, once a wait for it has failed. */
const LOST_WITHIN = 200;

/** What went wrong on a device since the last check, and whether it is still there. */
export class Health {
  readonly #device: GPUDevice;
  #failure: Error | null = null;
  #lost: DeviceLostError | null = null;
  #isDestroyed = false;

  constructor(device: GPUDevice) {
    this.#device = device;
    device.addEventListener('uncapturederror', (event: Event): void => {
      event.preventDefault();
      const { error } = event as GPUUncapturedErrorEvent;
      const oom = typeof GPUOutOfMemoryError !== 'undefined' && error instanceof GPUOutOfMemoryError;
      this.#failure ??= oom ? new OutOfMemoryError(`the device is out of memory: ${error.message}`) : new GpuError(error.message);
    });
    void device.lost.then((info) => {
      if (!this.#isDestroyed) this.#lost = new DeviceLostError(`the device was lost (${info.reason}): ${info.message}; call init() again`);
    });
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  /** From `gpu.destroy()` on. */
  markDestroyed(): void {
    this.#isDestroyed = true;
  }

  /** Throws DisposedError after `gpu.destroy()`, for whatever would need the device. */
  expectLive(what: string): void {
    if (this.#isDestroyed) throw new DisposedError(`${what}: the device was freed by gpu.destroy(); call init() again, and make tensors and models anew`);
  }

  /** Throws the first device error since the last check, if any. */
  check(): void {
    const failure = this.#lost ?? this.#failure;
    this.#failure = null;
    if (failure) throw failure;
  }

  /** What `waiting` gives. Where it fails because the device is gone, rejects with an error that says so. */
  async during<T>(what: string, waiting: Promise<T>): Promise<T> {
    let value: T;
    try {
      value = await waiting;
    } catch (error) {
      // The wait may fail before the device tells why.
      if (!this.#isDestroyed && !this.#failure) await Promise.race([this.#device.lost, new Promise((resolve) => setTimeout(resolve, LOST_WITHIN))]);
      this.expectLive(what);
      this.check();
      throw error;
    }
    this.check();
    return value;
  }
}
