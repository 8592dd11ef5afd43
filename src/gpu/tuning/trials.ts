import { encodeMove, launchOf, type Command, type Dispatch, type Launch } from '../commands.ts';
import { MAP_READ, USAGE } from '../usage.ts';
import type { Choice, Trial } from './choice.ts';
import type { Choices } from './choices.ts';

/** The most trials of one submit, and submits with trials that are not answered yet: a step stays about as quick. */
const [MOST_TRIALS, MOST_OPEN] = [4, 2];

/** A dispatch that is measured. */
interface Measured {
  readonly command: Dispatch;
  readonly choice: Choice;
  readonly trial: Trial;
  readonly launch: Launch;
}

/**
 * A way to submit that finds out which candidates are the fastest, on the work itself: a dispatch under trial is
 * repeated in a batch, which gives the same result, and timed by timestamps where the device has them, else by when the
 * queue is done.
 */
export class Trials {
  readonly #device: GPUDevice;
  readonly #choices: Choices;
  readonly #clock: 'timestamps' | 'queue';
  #open = 0;

  /** `choices`: all of the device; once they are decided, no command is looked at. */
  constructor(device: GPUDevice, clock: 'timestamps' | 'queue', choices: Choices) {
    this.#device = device;
    this.#choices = choices;
    this.#clock = clock;
  }

  /** What of `commands` to measure in this submit. Compiles candidates meanwhile. */
  of(commands: readonly Command[]): Measured[] {
    const found: Measured[] = [];
    if (this.#choices.undecided === 0 || this.#open >= MOST_OPEN) return found;
    for (const command of commands) {
      if (command.kind !== 'dispatch' || !command.alternatives || command.flops === null) continue;
      const { choice, launches } = command.alternatives;
      if (choice.isDecided || found.some((m) => m.choice === choice)) continue;
      launches.forEach(({ pipeline }, i) => {
        if (!pipeline.isCompiled) pipeline.compile().catch(() => choice.drop(i));
      });
      const trial = choice.next((i) => launches[i]!.pipeline.isCompiled);
      if (trial) found.push({ command, choice, trial, launch: launches[trial.candidate]! });
      // Completion of the queue tells of one batch only.
      if (found.length >= (this.#clock === 'queue' ? 1 : MOST_TRIALS)) break;
    }
    return found;
  }

  /** Encodes and submits resolved commands with what is measured among them; returns the number of dispatches. */
  submit(commands: readonly Command[], measured: readonly Measured[]): number {
    return this.#clock === 'timestamps' ? this.#stamped(commands, measured) : this.#awaited(commands, measured[0]!);
  }

  #stamped(commands: readonly Command[], measured: readonly Measured[]): number {
    const device = this.#device;
    const count = 2 * measured.length;
    const querySet = device.createQuerySet({ label: 'evenkeel tuning', type: 'timestamp', count });
    const buffer = (usage: number) => device.createBuffer({ label: 'evenkeel tuning', size: 8 * count, usage });
    const [resolved, mapped] = [buffer(USAGE.QUERY_RESOLVE | USAGE.COPY_SRC), buffer(USAGE.MAP_READ | USAGE.COPY_DST)];
    const encoder = device.createCommandEncoder({ label: 'evenkeel tuning' });
    let dispatches = 0;
    let pass: GPUComputePassEncoder | null = null;
    for (const c of commands) {
      const at = measured.findIndex(({ command }) => command === c);
      if (c.kind === 'dispatch' && at < 0) {
        encode((pass ??= encoder.beginComputePass()), c, launchOf(c));
        dispatches++;
        continue;
      }
      pass?.end();
      pass = null;
      if (c.kind !== 'dispatch') {
        encodeMove(encoder, c);
        continue;
      }
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * at, endOfPassWriteIndex: 2 * at + 1 };
      const own = encoder.beginComputePass({ timestampWrites });
      dispatches += repeat(own, measured[at]!);
      own.end();
    }
    pass?.end();
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, mapped, 0, 8 * count);
    device.queue.submit([encoder.finish()]);
    const free = (): void => {
      querySet.destroy();
      resolved.destroy();
      mapped.destroy();
    };
    this.#answer(
      measured,
      mapped.mapAsync(MAP_READ).then(() => {
        const ticks = new BigUint64Array(mapped.getMappedRange());
        return measured.map((_, i) => Number(ticks[2 * i + 1]! - ticks[2 * i]!) / 1e6);
      }),
      free,
    );
    return dispatches;
  }

  #awaited(commands: readonly Command[], measured: Measured): number {
    const device = this.#device;
    const at = commands.indexOf(measured.command);
    let dispatches = 0;
    const send = (part: readonly Command[], isTrial: boolean): void => {
      const encoder = device.createCommandEncoder({ label: 'evenkeel tuning' });
      for (const c of part) {
        if (c.kind !== 'dispatch') {
          encodeMove(encoder, c);
          continue;
        }
        const pass = encoder.beginComputePass();
        if (isTrial) dispatches += repeat(pass, measured);
        else {
          encode(pass, c, launchOf(c));
          dispatches++;
        }
        pass.end();
      }
      device.queue.submit([encoder.finish()]);
    };
    const done = (): Promise<number> => device.queue.onSubmittedWorkDone().then(() => performance.now());
    send(commands.slice(0, at), false);
    const before = done();
    send([measured.command], true);
    const after = done();
    send(commands.slice(at + 1), false);
    this.#answer(
      [measured],
      Promise.all([before, after]).then(([from, to]) => [to - from]),
      () => {},
    );
    return dispatches;
  }

  /** Notes the times once they are there. Without an answer the defaults stay. */
  #answer(measured: readonly Measured[], times: Promise<number[]>, free: () => void): void {
    this.#open++;
    times
      .then(
        (ms) => measured.forEach(({ choice, trial, command }, i) => choice.add(trial, command.flops!, ms[i]!)),
        () => measured.forEach(({ choice }) => choice.abandon()),
      )
      .finally(() => {
        this.#open--;
        free();
      });
  }
}

function encode(pass: GPUComputePassEncoder, c: Dispatch, { pipeline, groups }: Launch): void {
  pass.setPipeline(pipeline.raw);
  pass.setBindGroup(0, c.bindGroup);
  pass.dispatchWorkgroups(...groups);
}

function repeat(pass: GPUComputePassEncoder, { command, launch, trial }: Measured): number {
  for (let i = 0; i < trial.repeats; i++) encode(pass, command, launch);
  return trial.repeats;
}
