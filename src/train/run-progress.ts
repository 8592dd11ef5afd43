import type { History, StepReport } from './history.ts';

/** Recent chunks of losses that the rate of steps is taken from: the first ones compile pipelines. */
const RECENT = 8;

/** Turns the losses of steps, as they are read, into reports and the history of a run. */
export class Progress {
  /** The rate of each step, by its number. */
  readonly rates: number[] = [];
  /** Sum of the losses of the epoch at hand that were read. */
  epochLoss = 0;
  readonly #history: History;
  readonly #run: { epochs: number; stepsPerEpoch: number };
  readonly #onStep: (report: StepReport) => void;
  readonly #started = performance.now();
  readonly #before: number;
  readonly #first: number;
  readonly #recent: { at: number; step: number }[] = [];
  #reported: number;

  /** For a run whose first step is number `first`, from 0; `epochLoss` is what its epoch has summed up before. */
  constructor(
    history: History,
    run: { epochs: number; stepsPerEpoch: number; first: number; epochLoss: number },
    onStep: (report: StepReport) => void,
  ) {
    this.#history = history;
    this.#before = history.seconds;
    this.#run = run;
    this.#first = this.#reported = run.first;
    this.epochLoss = run.epochLoss;
    this.#onStep = onStep;
  }

  /** Takes the losses of the next steps. */
  report(losses: Float32Array): void {
    const { epochs, stepsPerEpoch } = this.#run;
    const upTo = this.#reported + losses.length;
    this.#history.stepsPerSecond = this.#rateAt(upTo);
    for (const loss of losses) {
      const epoch = Math.floor(this.#reported / stepsPerEpoch);
      this.#reported++;
      this.epochLoss += loss;
      this.#onStep({
        step: this.#reported,
        steps: stepsPerEpoch * epochs,
        epoch,
        epochs,
        loss,
        lr: this.rates[this.#reported - 1]!,
        stepsPerSecond: this.#history.stepsPerSecond,
      });
    }
  }

  /** Steps a second over the last chunks. */
  #rateAt(step: number): number {
    const now = performance.now();
    this.#recent.push({ at: now, step });
    if (this.#recent.length > RECENT) this.#recent.shift();
    const from = this.#recent.length > 1 ? this.#recent[0]! : { at: this.#started, step: this.#first };
    return ((step - from.step) / Math.max(1e-3, now - from.at)) * 1000;
  }

  /** Adds the mean loss of the epoch to the history. */
  endEpoch(): void {
    this.#history.loss.push(this.epochLoss / this.#run.stepsPerEpoch);
    this.epochLoss = 0;
  }

  /** Puts the time so far into the history, and the rate of all steps. */
  end(): void {
    const seconds = (performance.now() - this.#started) / 1000;
    this.#history.seconds = this.#before + seconds;
    if (seconds > 0) this.#history.stepsPerSecond = (this.#reported - this.#first) / seconds;
  }
}
