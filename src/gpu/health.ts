import { DeviceLostError, DisposedError, GpuError, OutOfMemoryError } from './errors.ts';

/** Milliseconds within which a device reports its loss after a wait for it has failed. */
const LOST_WITHIN = 200;

/** Whether a device is still there, and what went wrong on it outside the work that {@link Faults} watches. */
export class Health {
  readonly #device: GPUDevice;
  #failure: Error | null = null;
  #lost: DeviceLostError | null = null;
  #isDestroyed = false;

  /**
   * `isOwned`: nobody else uses the device. On a device of the caller, errors that evenkeel did not cause
   * are not reported.
   */
  constructor(device: GPUDevice, isOwned: boolean) {
    this.#device = device;
    if (isOwned) {
      device.addEventListener('uncapturederror', (event) => {
        event.preventDefault();
        this.#failure ??= new GpuError((event as GPUUncapturedErrorEvent).error.message);
      });
    }
    void device.lost.then((info) => {
      if (!this.#isDestroyed)
        this.#lost = new DeviceLostError(`the device was lost (${info.reason}): ${info.message}; call init() again`);
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
    if (this.#isDestroyed)
      throw new DisposedError(
        `${what}: the device was freed by gpu.destroy(); call init() again, and make tensors and models anew`,
      );
  }

  /** Throws when the device is lost, and once what went wrong on it outside evenkeel's own work. */
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
      // The wait may fail before the device reports why; a failure that is known is no loss.
      const isKnown = error instanceof GpuError || error instanceof OutOfMemoryError;
      if (!this.#isDestroyed && !this.#failure && !isKnown)
        await Promise.race([this.#device.lost, new Promise((resolve) => setTimeout(resolve, LOST_WITHIN))]);
      this.expectLive(what);
      this.check();
      throw error;
    }
    this.check();
    return value;
  }
}
