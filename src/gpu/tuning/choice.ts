/** Milliseconds of a batch below which a clock says too little, and the batches that settle a candidate. */
export const BATCH_MS = 2;
const BATCHES = 3;
/** Another candidate must take less than this share of the first's time: noise is no reason. */
const MARGIN = 0.97;
/** Most repetitions of a dispatch in a batch. */
const MOST_REPEATS = 4096;

/** Why a choice is as it is. */
export type Reason = 'default' | 'measured' | 'loaded';

/** One piece of work to measure: the candidate, and how often to repeat the dispatch. */
export interface Trial {
  readonly candidate: number;
  readonly repeats: number;
}

interface Candidate {
  readonly name: string;
  repeats: number;
  /** Seconds an arithmetic operation, of each batch that was long enough. */
  readonly times: number[];
  /** The first batch warms caches and does not count. */
  isWarm: boolean;
  isDropped: boolean;
}

/**
 * Which of several kernels with the same bits does a kind of work: shapes of one layout and size class. The first
 * candidate is the default. Each is measured on real work until it has three batches of 2 ms; then the one with the
 * least median time stays.
 */
export class Choice {
  /** Kernel, layout and size class. */
  readonly key: string;
  readonly #candidates: readonly Candidate[];
  #current = 0;
  #reason: Reason = 'default';
  #isDecided: boolean;

  /** `isOpen`: the candidates are to be measured; else the first one stays. */
  constructor(key: string, names: readonly string[], isOpen: boolean) {
    this.key = key;
    this.#candidates = names.map((name) => ({ name, repeats: 1, times: [], isWarm: false, isDropped: false }));
    this.#isDecided = !isOpen || names.length < 2;
  }

  /** Index of the candidate that does the work now. */
  get current(): number {
    return this.#current;
  }

  get isDecided(): boolean {
    return this.#isDecided;
  }

  /** The kernel in use, why, and the median times so far in picoseconds an arithmetic operation. */
  get report(): { name: string; reason: Reason; picoseconds: Record<string, number> } {
    const measured = this.#candidates.filter(({ times }) => times.length > 0);
    return {
      name: this.#candidates[this.#current]!.name,
      reason: this.#reason,
      picoseconds: Object.fromEntries(measured.map(({ name, times }) => [name, 1e12 * median(times)])),
    };
  }

  /** Takes the candidate `name`; false where there is none of that name. */
  load(name: string): boolean {
    const at = this.#candidates.findIndex((c) => c.name === name);
    if (at < 0) return false;
    this.#settle(at, 'loaded');
    return true;
  }

  /** The next piece of work to measure, of those candidates that are `ready`; null when there is none. */
  next(isReady: (candidate: number) => boolean): Trial | null {
    if (this.#isDecided) return null;
    let best = -1;
    this.#candidates.forEach((c, i) => {
      if (c.isDropped || c.times.length >= BATCHES || !isReady(i)) return;
      if (best < 0 || c.times.length < this.#candidates[best]!.times.length) best = i;
    });
    return best < 0 ? null : { candidate: best, repeats: this.#candidates[best]!.repeats };
  }

  /** Notes that `trial` of `flops` arithmetic operations a repetition took `ms`. */
  add({ candidate, repeats }: Trial, flops: number, ms: number): void {
    const c = this.#candidates[candidate]!;
    if (this.#isDecided || c.times.length >= BATCHES || !(ms >= 0)) return;
    if (ms < BATCH_MS && repeats < MOST_REPEATS) {
      // At least twice as many, and as many as should do.
      const wanted = ms > 0 ? Math.ceil((1.25 * BATCH_MS * repeats) / ms) : 16 * repeats;
      c.repeats = Math.min(MOST_REPEATS, Math.max(2 * repeats, Math.min(wanted, 16 * repeats)));
      return;
    }
    if (c.isWarm) c.times.push(ms / 1000 / repeats / flops);
    c.isWarm = true;
    if (this.#candidates.every((c) => c.isDropped || c.times.length >= BATCHES)) this.#decide();
  }

  /** Leaves a candidate out that cannot run here. */
  drop(candidate: number): void {
    const c = this.#candidates[candidate]!;
    c.isDropped = candidate > 0;
    if (!this.#isDecided && this.#candidates.every((c) => c.isDropped || c.times.length >= BATCHES)) this.#decide();
  }

  /** Stays with the default: something went wrong while candidates were tried. */
  abandon(): void {
    if (!this.#isDecided) this.#settle(0, 'default');
  }

  #decide(): void {
    let best = 0;
    const time = (i: number): number => median(this.#candidates[i]!.times);
    this.#candidates.forEach((c, i) => {
      if (!c.isDropped && time(i) < time(best) && time(i) < MARGIN * time(0)) best = i;
    });
    this.#settle(best, 'measured');
  }

  #settle(at: number, reason: Reason): void {
    this.#current = at;
    this.#reason = reason;
    this.#isDecided = true;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Infinity;
}
