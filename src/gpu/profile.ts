import { encodeMove, launchOf, type Command, type Dispatch } from './commands.ts';
import { GpuError } from './errors.ts';
import { Profile, type ProfiledDispatch, type ProfiledSubmit } from './profile-report.ts';
import type { Recorder } from './recorder.ts';
import { MAP_READ, USAGE } from './usage.ts';

/** Most queries of a set that WebGPU promises: a begin and an end for half as many dispatches. */
const QUERIES = 4096;

/** A way to submit that takes times: each dispatch in a pass of its own, between two timestamps. */
class Profiler {
  readonly submits: ProfiledSubmit[] = [];
  readonly #device: GPUDevice;
  #start = 0;
  readonly #isTimed: boolean;
  readonly #launches: Dispatch[] = [];
  readonly #sets: GPUQuerySet[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#isTimed = device.features.has('timestamp-query');
  }

  start(): void {
    this.#start = performance.now();
  }

  /** Microseconds since the start. */
  get now(): number {
    return 1000 * (performance.now() - this.#start);
  }

  /** Encodes and submits resolved commands; returns the number of dispatches. */
  submit(commands: readonly Command[]): number {
    const device = this.#device;
    const begin = this.now;
    const before = this.#launches.length;
    const encoder = device.createCommandEncoder({ label: 'evenkeel profile' });
    for (const c of commands) {
      if (c.kind !== 'dispatch') {
        encodeMove(encoder, c);
        continue;
      }
      const pass = encoder.beginComputePass(this.#descriptor());
      const launch = launchOf(c);
      pass.setPipeline(launch.pipeline.raw);
      pass.setBindGroup(0, c.bindGroup);
      pass.dispatchWorkgroups(...launch.groups);
      pass.end();
      this.#launches.push({ ...c, pipeline: launch.pipeline, groups: launch.groups });
    }
    device.queue.submit([encoder.finish()]);
    const dispatches = this.#launches.length - before;
    this.submits.push({ begin, end: this.now, dispatches });
    return dispatches;
  }

  /** The dispatches with their times: one read-back for all. */
  async launches(): Promise<ProfiledDispatch[]> {
    const times = await this.#times();
    return this.#launches.map(({ pipeline, groups, slots, flops }, i) => ({
      name: pipeline.label,
      variant: pipeline.variant,
      workgroups: groups,
      bytes: slots.reduce((sum, s) => sum + s.bytes, 0),
      flops,
      begin: times && times[2 * i]!,
      end: times && times[2 * i + 1]!,
    }));
  }

  dispose(): void {
    for (const set of this.#sets) set.destroy();
  }

  #descriptor(): GPUComputePassDescriptor {
    if (!this.#isTimed) return {};
    const at = (2 * this.#launches.length) % QUERIES;
    if (at === 0)
      this.#sets.push(this.#device.createQuerySet({ label: 'evenkeel profile', type: 'timestamp', count: QUERIES }));
    return {
      timestampWrites: { querySet: this.#sets.at(-1)!, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 },
    };
  }

  /** All timestamps in microseconds from the first; null where the device has none. */
  async #times(): Promise<number[] | null> {
    const count = 2 * this.#launches.length;
    if (!this.#isTimed || count === 0) return null;
    const device = this.#device;
    const size = 8 * QUERIES * this.#sets.length;
    const resolved = device.createBuffer({
      label: 'evenkeel profile',
      size,
      usage: USAGE.QUERY_RESOLVE | USAGE.COPY_SRC,
    });
    const mapped = device.createBuffer({ label: 'evenkeel profile', size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
    try {
      const encoder = device.createCommandEncoder();
      this.#sets.forEach((set, i) =>
        encoder.resolveQuerySet(set, 0, Math.min(QUERIES, count - i * QUERIES), resolved, 8 * QUERIES * i),
      );
      encoder.copyBufferToBuffer(resolved, 0, mapped, 0, 8 * count);
      device.queue.submit([encoder.finish()]);
      await mapped.mapAsync(MAP_READ);
      const ticks = new BigUint64Array(mapped.getMappedRange(), 0, count);
      return Array.from(ticks, (t) => Number(t - ticks[0]!) / 1000);
    } finally {
      resolved.destroy();
      mapped.destroy();
    }
  }
}

/** The body of `gpu.profile`: runs `fn` while `recorder` submits by a profiler. `sync` waits for the device. */
export async function profiled<T>(
  recorder: Recorder,
  device: GPUDevice,
  sync: () => Promise<void>,
  fn: () => T | Promise<T>,
): Promise<Profile<T>> {
  if (recorder.recording) throw new GpuError('profile inside a captured step: profile its runs');
  if (recorder.submitter) throw new GpuError('profile inside a profile');
  recorder.flush();
  const profiler = new Profiler(device);
  recorder.submitter = (commands) => profiler.submit(commands);
  try {
    // Earlier work is waited for, so that its time is not counted here.
    await sync();
    profiler.start();
    const value = await fn();
    await sync();
    const wallMs = profiler.now / 1000;
    return new Profile(value, wallMs, profiler.submits, await profiler.launches());
  } finally {
    recorder.submitter = null;
    profiler.dispose();
  }
}
