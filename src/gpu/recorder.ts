import type { Gpu } from './device.ts';
import { DisposedError } from './errors.ts';
import type { Pipeline } from './pipeline.ts';
import { alignUp, type DeviceBuffer } from './pool.ts';
import type { Profiler } from './profile.ts';
import type { Reading } from './readback.ts';
import type { Storage } from './storage.ts';
import type { Uniform } from './uniforms.ts';

/** One range bound to a dispatch. */
export interface Slot {
  readonly binding: number;
  readonly storage: Storage;
  readonly offset: number;
  readonly bytes: number;
  readonly writes: boolean;
}

/** A pipeline and the workgroups to start. */
export interface Launch {
  readonly pipeline: Pipeline;
  readonly groups: readonly [number, number, number];
}

/** One launch of a kernel. */
export interface Dispatch extends Launch {
  readonly kind: 'dispatch';
  /**
   * What stands in until the pipeline is compiled, and the share of the compilation that this launch pays: see
   * Pipeline.takes.
   */
  readonly quick: (Launch & { readonly share: number }) | null;
  uniform: Uniform | null;
  /** The contents of `uniform`. */
  readonly params: Uint32Array<ArrayBuffer> | null;
  readonly slots: readonly Slot[];
  /** Arithmetic operations, where the kernel states them. */
  readonly flops: number | null;
  bindGroup: GPUBindGroup | null;
}

/** A copy of bytes between storages, or to a buffer that the host maps. */
export interface Copy {
  readonly kind: 'copy';
  readonly from: Storage;
  readonly fromOffset: number;
  readonly to: Storage | Reading;
  readonly toOffset: number;
  readonly bytes: number;
  ends?: { from: DeviceBuffer; fromBase: number; to: GPUBuffer; toBase: number };
}

/** Bytes set to zero. */
export interface Clear {
  readonly kind: 'clear';
  readonly storage: Storage;
  readonly offset: number;
  readonly bytes: number;
  target?: { buffer: DeviceBuffer; base: number };
}

/** What the recorder can hold. */
export type Command = Dispatch | Copy | Clear;

/** Commands kept before a submit is forced. Reads and `await` flush earlier. */
const CAP = 256;

/**
 * The one path on which work reaches the queue. Eager code appends commands that are encoded into one pass and one
 * submit at the next flush; a capture takes the list itself and plays it again.
 */
export class Recorder {
  /** While set, commands are kept for a capture and not submitted. */
  sink: Command[] | null = null;
  /** While set, it encodes and submits in this recorder's place. */
  profiler: Profiler | null = null;
  /**
   * Storages that the commands of a capture use and that are not its own: held, since their tensors may be freed
   * inside.
   */
  readonly borrowed = new Set<Storage>();
  readonly #gpu: Gpu;
  #pending: Command[] = [];
  readonly #touched = new Set<DeviceBuffer>();
  readonly #groups = new Map<string, GPUBindGroup>();
  #willFlush = false;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  push(command: Command): void {
    for (const s of writtenBy(command)) if ('version' in s) s.version++;
    if (this.sink) {
      this.sink.push(command);
      for (const s of storagesOf(command)) if (s.buffer && !this.borrowed.has(s)) this.borrowed.add(s.retain());
      return;
    }
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

  /** Binds the memory of a command; called once its storages have buffers. */
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
      command.ends = {
        from: from.buffer!,
        fromBase: from.base,
        to: 'gpu' in to ? to.buffer!.raw : to.target,
        toBase: 'gpu' in to ? to.base : 0,
      };
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
   * Encodes resolved commands and submits them, in order, after whatever is pending. It does not throw: what fails
   * taints what the commands write, and is told to `failed`.
   */
  submit(commands: readonly Command[], failed?: () => void): void {
    if (this.#pending.length) this.flush();
    this.#gpu.faults.submit(
      commands,
      () => (this.profiler ? this.profiler.submit(commands) : this.#encode(commands)),
      () => {
        // Whatever of theirs is broken is made anew when it is needed.
        for (const c of commands)
          if (c.kind === 'dispatch') for (const { pipeline } of [c, c.quick ?? c]) pipeline.reset();
        this.forget();
        this.#gpu.forget();
        failed?.();
      },
    );
  }

  #encode(commands: readonly Command[]): void {
    const { device, counters } = this.#gpu;
    const encoder = device.createCommandEncoder();
    let pass: GPUComputePassEncoder | null = null;
    let bound: Pipeline | null = null;
    for (const c of commands) {
      if (c.kind === 'dispatch') {
        pass ??= encoder.beginComputePass();
        const { pipeline, groups } = launchOf(c);
        if (bound !== pipeline) pass.setPipeline((bound = pipeline).raw);
        pass.setBindGroup(0, c.bindGroup);
        pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
        counters.dispatches++;
        continue;
      }
      pass?.end();
      pass = bound = null;
      encodeMove(encoder, c);
    }
    pass?.end();
    device.queue.submit([encoder.finish()]);
    counters.submits++;
  }

  /** Drops cached bind groups, which keep buffers alive. */
  forget(): void {
    this.#groups.clear();
  }

  #bindGroup(d: Dispatch): GPUBindGroup {
    let key = `${d.pipeline.id}`;
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
    const make = (): GPUBindGroup =>
      this.#gpu.device.createBindGroup({ label: d.pipeline.label, layout: d.pipeline.layout, entries });
    // The submit that uses it fails as well, and says why.
    const group = this.#gpu.faults.use(make, () => this.#groups.delete(key));
    this.#gpu.counters.bindGroups++;
    this.#groups.set(key, group);
    return group;
  }
}

/** What does the work of a dispatch now. */
export function launchOf(c: Dispatch): Launch {
  return c.quick && !c.pipeline.takes(c.quick.share) ? c.quick : c;
}

/** The pipelines that a first run of commands needs. */
export function firstPipelines(commands: readonly Command[]): Pipeline[] {
  const first = ({ pipeline, quick }: Dispatch): Pipeline =>
    quick && quick.share < 1 && !pipeline.isCompiled ? quick.pipeline : pipeline;
  return [...new Set(commands.flatMap((c) => (c.kind === 'dispatch' ? [first(c)] : [])))];
}

/** The storages that a command writes, or the reading. */
export function writtenBy(c: Command): (Storage | Reading)[] {
  if (c.kind === 'dispatch') return c.slots.filter((s) => s.writes).map((s) => s.storage);
  return [c.kind === 'clear' ? c.storage : c.to];
}

/** Encodes a resolved command that is no dispatch. */
export function encodeMove(encoder: GPUCommandEncoder, c: Copy | Clear): void {
  if (c.kind === 'clear') encoder.clearBuffer(c.target!.buffer.raw, c.target!.base + c.offset, c.bytes);
  else
    encoder.copyBufferToBuffer(
      c.ends!.from.raw,
      c.ends!.fromBase + c.fromOffset,
      c.ends!.to,
      c.ends!.toBase + c.toOffset,
      c.bytes,
    );
}

/** The storages that a command reads or writes. */
export function storagesOf(c: Command): Storage[] {
  if (c.kind === 'dispatch') return c.slots.map((s) => s.storage);
  if (c.kind === 'clear') return [c.storage];
  return 'gpu' in c.to ? [c.from, c.to] : [c.from];
}
