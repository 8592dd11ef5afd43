import type { JobEvent } from './job.ts';

/** A stream like process.stderr. */
export interface Screen {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Where a phase stands. */
export interface PhaseState {
  label: string;
  done: number;
  total: number;
  /** Since the phase began. */
  seconds: number;
  stepsPerSecond?: number;
  loss?: number;
  note?: string;
}

const BAR = 24;
/** Least time between two redraws of the bar, ms. */
const REDRAW = 80;

/** Hours, minutes and seconds as people write them: 0:07, 12:03, 1:02:03. */
export function formatDuration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number): string => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** One line: label, bar, percentage, note, step rate, remaining time, loss. */
export function formatProgress({ label, done, total, seconds, stepsPerSecond, loss, note }: PhaseState): string {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const filled = Math.round(share * BAR);
  // The rate of the whole phase: it also counts what is not a step, so it foretells the end better.
  const rate = stepsPerSecond ?? (seconds > 0 ? done / seconds : undefined);
  const left = done > 0 && share < 1 ? (seconds / done) * (total - done) : null;
  return [
    label,
    `${'━'.repeat(filled)}${'─'.repeat(BAR - filled)}`,
    `${String(Math.floor(share * 100)).padStart(3)}%`,
    note,
    rate !== undefined && done > 0 ? `${rate < 10 ? rate.toFixed(1) : rate.toFixed(0)}/s` : undefined,
    left === null ? undefined : `ETA ${formatDuration(left)}`,
    loss === undefined ? undefined : `loss ${loss.toFixed(3)}`,
  ]
    .filter((part) => part !== undefined)
    .join('  ');
}

/** Shows the events of a job: a bar that redraws itself on a terminal, one line for each finished phase when piped. */
export class Progress {
  readonly #screen: Screen;
  readonly #now: () => number;
  #phase: PhaseState | null = null;
  #started = 0;
  #drawn = -Infinity;

  constructor(screen: Screen = process.stderr, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#now = now;
  }

  handle(event: JobEvent): void {
    if (event.type === 'phase') this.#begin(event.label, event.total);
    if (event.type === 'step') this.#step(event);
    if (event.type === 'line') this.line(event.text);
    if (event.type === 'adapter') this.line(`adapter: ${event.adapter.name} (${event.adapter.kind})`);
  }

  /** A line above the bar. */
  line(text: string): void {
    this.#clear();
    this.#screen.write(`${text}\n`);
    this.#draw(true);
  }

  /** Ends the current phase with a line of its own; when it did not complete, the bar just goes. */
  end(completed = true): void {
    const phase = this.#phase;
    if (!phase) return;
    this.#clear();
    this.#phase = null;
    if (!completed) return;
    const loss = phase.loss === undefined ? '' : `, loss ${phase.loss.toFixed(3)}`;
    this.#screen.write(`${phase.label}: done in ${formatDuration((this.#now() - this.#started) / 1000)}${loss}\n`);
  }

  #begin(label: string, total: number): void {
    this.end();
    this.#phase = { label, done: 0, total, seconds: 0 };
    this.#started = this.#now();
    this.#draw(true);
  }

  #step({ done, stepsPerSecond, loss, note }: Extract<JobEvent, { type: 'step' }>): void {
    if (!this.#phase) return;
    Object.assign(this.#phase, { done, stepsPerSecond, note, loss: loss ?? this.#phase.loss });
    this.#draw(done === this.#phase.total);
  }

  #draw(now: boolean): void {
    if (!this.#screen.isTTY || !this.#phase) return;
    const time = this.#now();
    if (!now && time - this.#drawn < REDRAW) return;
    this.#drawn = time;
    this.#phase.seconds = (time - this.#started) / 1000;
    // A line that wraps could not be overwritten.
    const text = formatProgress(this.#phase).slice(0, (this.#screen.columns ?? 80) - 1);
    this.#screen.write(`\r\x1b[2K${text}`);
  }

  #clear(): void {
    if (this.#screen.isTTY && this.#phase) this.#screen.write('\r\x1b[2K');
  }
}
