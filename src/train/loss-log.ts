import type { Gpu } from '../gpu/device.ts';
import { NonFiniteError } from '../gpu/errors.ts';
import type { Precision } from '../ops/precision.ts';
import { zeros, type Tensor } from '../tensor/tensor.ts';

/** Steps whose losses are kept on the device until they are read. */
const KEPT = 512;

/** What a loss in the log counts for in that of its step. */
export type Shares = readonly number[];

/**
 * The losses of the last steps, on the device: each batch of a step writes its own at `placeOf`, and `read` gives those
 * of whole steps, the sum of their batches by their shares.
 */
export class LossLog {
  /** What the kernel writes to, (places). */
  readonly losses: Tensor;
  readonly #batches: number;
  readonly #isMixed: boolean;
  readonly #shares: Shares[] = [];
  #read: number;

  /** For steps of up to `batches` batches, the first of them number `first`, from 0. */
  constructor(
    gpu: Gpu,
    { batches, first, precision }: { batches: number; first: number; precision?: Precision | undefined },
  ) {
    this.#batches = batches;
    this.#isMixed = precision === 'mixed';
    this.#read = first;
    this.losses = zeros([KEPT * batches], { gpu });
  }

  /** The place of batch `k` of a step. */
  placeOf(step: number, k: number): number {
    return (step % KEPT) * this.#batches + k;
  }

  /** Says how the losses of the batches of a step add up. */
  note(step: number, shares: Shares): void {
    this.#shares[step % KEPT] = shares;
  }

  /**
   * The losses of the next `count` steps that were not read yet, oldest first. Rejects with NonFiniteError, naming the
   * step, where one is not finite.
   */
  async read(count: number): Promise<Float32Array> {
    const first = this.#read;
    this.#read += count;
    const log = await this.losses.read();
    const out = Float32Array.from({ length: count }, (_, i) =>
      this.#shares[(first + i) % KEPT]!.reduce((sum, share, k) => sum + log[this.placeOf(first + i, k)]! * share, 0),
    );
    const bad = out.findIndex((v) => !Number.isFinite(v));
    if (bad >= 0)
      throw new NonFiniteError(
        `fit: the loss of step ${first + bad + 1} is ${out[bad]}; lower the learning rate, or check the inputs` +
          (this.#isMixed ? '; products in mixed precision take numbers up to 65,504' : ''),
      );
    return out;
  }

  dispose(): void {
    this.losses.dispose();
  }
}

/** Steps that may lie in the queue before the host waits for the device. */
const MOST_AHEAD = 128;
/** Milliseconds of work between two reports. */
const REPORT_EVERY = 100;

/**
 * Reads losses while the device works on later steps, a chunk at a time, and holds the host back: it waits for the
 * chunk before the one it has just queued. Chunks take about {@link REPORT_EVERY} milliseconds.
 */
export class LossReader {
  readonly #read: (count: number) => Promise<Float32Array>;
  readonly #report: (losses: Float32Array) => void;
  #pending: Promise<Float32Array> | null = null;
  #queued = 0;
  #chunk = 1;
  #since = performance.now();

  /** `read` gives the losses of the next steps, `report` gets them in order. */
  constructor(read: (count: number) => Promise<Float32Array>, report: (losses: Float32Array) => void) {
    this.#read = read;
    this.#report = report;
  }

  /** Counts a step that was queued. */
  add(): void {
    this.#queued++;
  }

  /** A promise where the host has to wait for the device. */
  wait(): Promise<void> | undefined {
    return this.#queued < this.#chunk ? undefined : this.#next();
  }

  /** Resolves when all losses of queued steps were reported. */
  async finish(): Promise<void> {
    if (this.#queued > 0) await this.#next();
    await this.#drain();
    await this.#drain();
  }

  /** Leaves what was done since the last step out of the pace. */
  restart(): void {
    this.#since = performance.now();
  }

  async #next(): Promise<void> {
    await this.#drain();
    const now = performance.now();
    const pace = (this.#chunk * REPORT_EVERY) / Math.max(1, now - this.#since);
    this.#chunk = Math.max(1, Math.min(MOST_AHEAD, Math.round(pace)));
    this.#since = now;
  }

  async #drain(): Promise<void> {
    const next = this.#queued > 0 ? this.#read(this.#queued) : null;
    // When the losses before these are refused, nobody waits for these.
    next?.catch(() => {});
    this.#queued = 0;
    if (this.#pending) this.#report(await this.#pending);
    this.#pending = next;
  }
}
