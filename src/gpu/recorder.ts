import {
  encodeMove,
  isCompiled,
  launchOf,
  pipelinesOf,
  spreadFaults,
  storagesOf,
  taint,
  writtenBy,
  type Command,
  type Dispatch,
} from './commands.ts';
import { DisposedError, GpuError } from './errors.ts';
import type { Faults } from './faults.ts';
import type { Pipeline } from './pipeline.ts';
import { alignUp, type DeviceBuffer } from './pool.ts';
import { Recording } from './recording.ts';
import { Storage } from './storage.ts';
import type { Trials } from './tuning/trials.ts';

/** Commands kept before a submit is forced. Reads and `await` flush earlier. */
const CAP = 256;

/** What was sent to the queue so far. */
export interface Counters {
  dispatches: number;
  submits: number;
  bindGroups: number;
  writes: number;
  reads: number;
}

/** A way to encode commands whose memory is known, and to submit them; returns the number of dispatches. */
export type Submit = (commands: readonly Command[]) => number;

/** What a recorder works with. */
export interface RecorderParts {
  device: GPUDevice;
  faults: Faults;
  counters: Counters;
  trials: Trials;
  /** Called when commands have failed: what they share with others may be faulty. */
  onFailure(): void;
}

/**
 * The one path on which work reaches the queue. Eager code pushes commands, which are encoded into one pass and one
 * submit at the next flush. While a step is recorded, the commands go to its recording instead; a replay submits them
 * as often as it likes.
 */
export class Recorder {
  /** Another way to submit, while `gpu.profile` runs; null: {@link submitAtOnce}. */
  submitter: Submit | null = null;
  /** Finds out which kernels are the fastest. */
  trials: Trials;
  readonly #parts: RecorderParts;
  #recording: Recording | null = null;
  #pending: Command[] = [];
  readonly #touched = new Set<DeviceBuffer>();
  readonly #groups = new Map<string, GPUBindGroup>();
  #willFlush = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.trials = parts.trials;
  }

  /** Of the step that is being recorded, if any. */
  get recording(): Recording | null {
    return this.#recording;
  }

  /** Runs `step` and keeps what it launches and allocates, unsubmitted. `what` names the caller in errors. */
  record<T>(what: string, step: () => T): { value: T; recording: Recording } {
    if (this.#recording) throw new GpuError(`${what} inside a captured step`);
    const recording = (this.#recording = new Recording());
    try {
      return { value: step(), recording };
    } catch (error) {
      recording.release();
      throw error;
    } finally {
      this.#recording = null;
    }
  }

  push(command: Command): void {
    for (const s of writtenBy(command)) if (s instanceof Storage) s.version++;
    if (this.#recording) return this.#recording.push(command);
    this.resolve(command);
    for (const storage of storagesOf(command)) this.#touched.add(storage.buffer!);
    this.#pending.push(command);
    if (this.#pending.length >= CAP) this.flush();
    else if (!this.#willFlush) {
      // The next `await` of the caller lets this run: work starts without an explicit flush.
      this.#willFlush = true;
      queueMicrotask(() => this.flush());
    }
  }

  /** True when unsubmitted commands use the buffer, so that a host write must wait for a submit. */
  uses(buffer: DeviceBuffer): boolean {
    return this.#touched.has(buffer);
  }

  /** Notes the memory of a command; called once its storages have buffers. */
  resolve(command: Command): void {
    for (const storage of storagesOf(command)) {
      if (!storage.buffer)
        throw new DisposedError(
          `${command.kind === 'dispatch' ? command.pipeline.label : command.kind}: ` +
            'a tensor was used after it was freed',
        );
    }
    // A storage may be freed before the submit; its buffer is noted now, and is not handed out for host writes until
    // then.
    if (command.kind === 'dispatch') command.bindGroup = this.#bindGroup(command);
    else if (command.kind === 'clear') command.target = { buffer: command.storage.buffer!, base: command.storage.base };
    else {
      const { from, to } = command;
      const [target, toBase] = to instanceof Storage ? [to.buffer!.raw, to.base] : [to.target, 0];
      command.ends = { from: from.buffer!, fromBase: from.base, to: target, toBase };
    }
  }

  flush(): void {
    this.#willFlush = false;
    if (this.#pending.length === 0) return;
    const commands = this.#pending;
    this.#pending = [];
    this.#touched.clear();
    this.submit(commands);
  }

  /**
   * Submits resolved commands, in order, after whatever is pending. It does not throw: what fails taints what the
   * commands write, and `failed` is called.
   */
  submit(commands: readonly Command[], failed?: () => void): void {
    this.flush();
    const { device, faults, counters, onFailure } = this.#parts;
    const { trials } = this;
    const run = (): void => {
      const { submitter } = this;
      const measured = submitter ? [] : trials.of(commands);
      if (submitter) counters.dispatches += submitter(commands);
      else if (measured.length > 0) counters.dispatches += trials.submit(commands, measured);
      else counters.dispatches += submitAtOnce(device, commands);
      counters.submits++;
    };
    const afterFailure = (error: Error): void => {
      taint(commands, error);
      // What they left broken is created afresh when it is needed.
      for (const c of commands)
        if (c.kind === 'dispatch') {
          c.alternatives?.choice.abandon();
          for (const pipeline of pipelinesOf(c)) pipeline.reset();
        }
      this.dropBindGroups();
      onFailure();
      failed?.();
      faults.spread();
    };
    const work = { spread: () => spreadFaults(commands) };
    if (faults.any) work.spread();
    try {
      if (isCompiled(commands)) faults.use(run, afterFailure, work);
      else faults.watch(run, afterFailure, work);
    } catch {
      // `afterFailure` learns of it in its turn.
    }
  }

  /** Forgets cached bind groups, which keep buffers alive. */
  dropBindGroups(): void {
    this.#groups.clear();
  }

  #bindGroup(d: Dispatch): GPUBindGroup {
    const { device, faults, counters } = this.#parts;
    const { label, layout } = d.pipeline;
    let key = layout.label;
    for (const s of d.slots) key += `|${s.storage.buffer!.id}:${s.storage.base + s.offset}:${s.bytes}`;
    if (d.uniform) key += `|${(d.uniform.buffer as GPUBuffer).label}:${d.uniform.offset}`;
    const known = this.#groups.get(key);
    if (known) return known;
    if (this.#groups.size >= 4096) this.#groups.clear();
    const entries: GPUBindGroupEntry[] = d.slots.map((s) => ({
      binding: s.binding,
      // A binding must be a multiple of 4 and vec4 views want 16; allocations are padded to 256, so this stays inside.
      resource: {
        buffer: s.storage.buffer!.raw,
        offset: s.storage.base + s.offset,
        size: Math.max(16, alignUp(s.bytes, 16)),
      },
    }));
    if (d.uniform) entries.push({ binding: 0, resource: d.uniform });
    // The submit that uses it fails as well, and says why.
    const group = faults.use(
      () => device.createBindGroup({ label, layout, entries }),
      () => this.#groups.delete(key),
    );
    counters.bindGroups++;
    this.#groups.set(key, group);
    return group;
  }
}

/** Encodes all dispatches between two copies or clears into one pass, and submits the whole. */
function submitAtOnce(device: GPUDevice, commands: readonly Command[]): number {
  const encoder = device.createCommandEncoder();
  let pass: GPUComputePassEncoder | null = null;
  let bound: Pipeline | null = null;
  let dispatches = 0;
  for (const c of commands) {
    if (c.kind === 'dispatch') {
      pass ??= encoder.beginComputePass();
      const { pipeline, groups } = launchOf(c);
      if (bound !== pipeline) pass.setPipeline((bound = pipeline).raw);
      pass.setBindGroup(0, c.bindGroup);
      pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
      dispatches++;
      continue;
    }
    pass?.end();
    pass = bound = null;
    encodeMove(encoder, c);
  }
  pass?.end();
  device.queue.submit([encoder.finish()]);
  return dispatches;
}
