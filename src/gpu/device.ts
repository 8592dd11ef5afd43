import { expectOptions } from '../check/options.ts';
import { describe, findAdapter, hostGpu, type AdapterDescription } from './adapter.ts';
import { symbolDispose } from './dispose.ts';
import { GpuError, NoWebGPUError, OutOfMemoryError } from './errors.ts';
import { Faults } from './faults.ts';
import { Health } from './health.ts';
import { raisedLimits } from './limits.ts';
import { Memory, type MemoryReport } from './memory.ts';
import type { Compiled } from './pipeline.ts';
import { alignUp, BufferPool, type DeviceBuffer } from './pool.ts';
import { profiled } from './profile.ts';
import type { Profile } from './profile-report.ts';
import { Readback } from './readback.ts';
import { Recorder, type Counters } from './recorder.ts';
import type { Storage } from './storage.ts';
import { Choices, Trials, tuningFor, type ChoiceReport, type Tuning, type TuningFile } from './tuning/index.ts';
import { UniformCache } from './uniforms.ts';

/** Options of {@link init}. */
export interface InitOptions {
  /** An existing device; it is used as it is and never destroyed by evenkeel. */
  device?: GPUDevice;
  /** A `GPU` object for hosts without `navigator.gpu`, such as Node with the `webgpu` package: `create([])`. */
  gpu?: GPU;
  /** Take only a hardware adapter or only the software one. Default: hardware, else software. */
  adapter?: 'hardware' | 'software';
  /** Keep the creation site of every tensor, so that errors can name it. Slow. Default: false. */
  debug?: boolean;
  /**
   * How work is cut: as for a kind of adapter, or by a tuning of your own. It changes times, not results. Default: as
   * for the adapter.
   */
  tuning?: 'hardware' | 'software' | Tuning;
  /**
   * Time on the device, during the work itself, which of several kernels is the fastest; results do not depend on it.
   * Default: true.
   */
  autotune?: boolean;
  /** The timings of an earlier run: the parsed JSON of {@link Gpu.tuned}. One of another adapter or version is left. */
  tuned?: TuningFile;
}

let current: Gpu | null = null;

/** The device that creation functions use: the one of the last `init`. Throws when there is none. */
export function currentGpu(): Gpu {
  if (!current) throw new NoWebGPUError('no device yet: call `await init()` first');
  return current;
}

/**
 * Opens a WebGPU device and makes it the current one: a hardware adapter where there is one, else the software adapter.
 * Limits are raised to what the adapter offers. Throws {@link NoWebGPUError}, whose message says what to do.
 */
export async function init(options: InitOptions = {}): Promise<Gpu> {
  expectOptions('init', options, ['device', 'gpu', 'adapter', 'debug', 'tuning', 'autotune', 'tuned']);
  expectTuning(options.tuning);
  if (options.device) {
    const info = (options.device as { adapterInfo?: GPUAdapterInfo }).adapterInfo;
    return (current = new Gpu(options.device, info, { isOwned: false, ...options }));
  }
  const adapter = await findAdapter(options.gpu ?? hostGpu(), options.adapter);
  const device = await adapter.requestDevice(raisedLimits(adapter));
  return (current = new Gpu(device, adapter.info, { isOwned: true, ...options }));
}

function expectTuning(tuning: InitOptions['tuning']): void {
  if (tuning === undefined || tuning === 'hardware' || tuning === 'software') return;
  if (tuning && typeof tuning.tileFor === 'function') return;
  const got = tuning && typeof tuning === 'object' ? 'an object without tileFor' : String(tuning);
  throw new TypeError(`init: tuning is ${got}, expected 'hardware', 'software' or a Tuning`);
}

/** A device with its recorder, memory and caches, as {@link init} returns it. */
export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly tuning: Tuning;
  /** Which of several kernels do the work. */
  readonly choices: Choices;
  readonly debug: boolean;
  /** What was sent to the queue so far. */
  readonly counters: Counters = { dispatches: 0, submits: 0, bindGroups: 0, writes: 0, reads: 0 };
  readonly faults: Faults;
  readonly recorder: Recorder;
  readonly uniforms: UniformCache;
  /** Compiled pipelines by label and variant, layouts of entry points by label, and shaders by variant. */
  readonly pipelines = new Map<string, Compiled>();
  readonly layouts = new Map<string, GPUBindGroupLayout>();
  readonly shaders = new Map<string, GPUShaderModule>();
  readonly #isOwned: boolean;
  readonly #health: Health;
  readonly #pool: BufferPool;
  readonly #memory: Memory;
  readonly #readback: Readback;

  /** `isOwned`: nobody else uses the device, and `destroy` frees it. The others: see {@link InitOptions}. */
  constructor(
    device: GPUDevice,
    info: GPUAdapterInfo | undefined,
    { isOwned, debug = false, tuning, autotune = true, tuned }: { isOwned: boolean } & InitOptions,
  ) {
    this.device = device;
    this.adapter = describe(info);
    this.tuning = typeof tuning === 'object' ? tuning : tuningFor(this.adapter, device.features, tuning);
    this.choices = new Choices(this.adapter, device.limits, {
      isOpen: autotune,
      because: this.tuning.because ?? 'the first of this tuning',
      tuned,
    });
    this.debug = debug;
    this.#isOwned = isOwned;
    this.#health = new Health(device, isOwned);
    this.faults = new Faults(device);
    this.uniforms = new UniformCache(device, this.faults);
    this.recorder = new Recorder({
      device,
      faults: this.faults,
      counters: this.counters,
      trials: new Trials(device, device.features.has('timestamp-query') ? 'timestamps' : 'queue', this.choices),
      onFailure: () => {
        this.uniforms.clear();
        this.shaders.clear();
      },
    });
    this.#pool = new BufferPool(device, this.faults);
    this.#memory = new Memory(this.#pool);
    this.#readback = new Readback(device, this.faults);
  }

  /** Buffers created so far, arenas included. */
  get buffersCreated(): number {
    return this.#pool.created;
  }

  memory(): MemoryReport {
    return this.#memory.report;
  }

  /** Device memory for `bytes` bytes, for what `label` says; while a step is recorded only planned, unless `now`. */
  allocate(bytes: number, now = false, label = `${bytes} bytes`): Storage {
    this.#health.expectLive('tensor');
    const most = this.device.limits.maxStorageBufferBindingSize;
    if (bytes > most)
      throw new OutOfMemoryError(`a tensor of ${bytes} bytes is over this adapter's limit of ${most} bytes a binding`);
    const { recording } = this.recorder;
    return recording && !now ? recording.allocate(bytes, label) : this.#memory.allocate(bytes, label);
  }

  /**
   * A tensor of the library that is created once for this device and kept, and created afresh if a failed operation
   * overwrote it; it does not count as live.
   */
  constant<T extends { readonly storage: Storage }>(name: string, make: () => T): T {
    return this.#memory.constant(name, make);
  }

  /** Copies host bytes to the device, after all work recorded so far. */
  write(storage: Storage, offset: number, data: ArrayBufferView<ArrayBuffer>): void {
    if (data.byteLength === 0) return;
    this.#health.expectLive('write');
    if (!storage.buffer)
      throw new GpuError('write: the tensor was freed, or belongs to a step that is still being captured');
    if (this.recorder.uses(storage.buffer)) this.recorder.flush();
    const { raw } = storage.buffer;
    const { buffer, byteOffset, byteLength } = data;
    const isWhole = offset === 0 && byteLength >= storage.bytes;
    // A write to all of a storage makes it valid, whatever failed on it before.
    const work = isWhole ? { spread: () => void (storage.fault = null) } : null;
    if (this.faults.any) work?.spread();
    this.faults.use(
      () => this.device.queue.writeBuffer(raw, storage.base + offset, buffer, byteOffset, byteLength),
      (cause) => {
        storage.fault = cause;
        this.faults.spread();
      },
      work,
    );
    this.counters.writes++;
    storage.version++;
  }

  /**
   * Reads byte ranges back in one submit and one wait each. Rejects with the first cause when something failed on the
   * device on which these values depend; a failure of other work does not matter.
   */
  async read(ranges: readonly { storage: Storage; offset: number; bytes: number }[]): Promise<ArrayBuffer[]> {
    const { recorder } = this;
    this.#health.expectLive('read');
    if (recorder.recording) throw new GpuError('read inside a captured step: read its outputs after capture() returns');
    // Pending work of others is submitted apart, so that a failure of it is not one of this read.
    if (ranges.every(({ storage }) => !storage.buffer || !recorder.uses(storage.buffer))) recorder.flush();
    const readings = ranges.map(({ storage, offset, bytes }) => {
      const padded = alignUp(Math.max(4, bytes), 4);
      const reading = this.#readback.take(padded);
      if (bytes > 0)
        recorder.push({ kind: 'copy', from: storage, fromOffset: offset, to: reading, toOffset: 0, bytes: padded });
      return reading;
    });
    recorder.flush();
    this.counters.reads++;
    const all = await this.#health.during('read', Promise.all(readings.map((reading) => this.#readback.read(reading))));
    return all.map((bytes, i) => (bytes.byteLength === ranges[i]!.bytes ? bytes : bytes.slice(0, ranges[i]!.bytes)));
  }

  /** Waits until all recorded work is done. */
  async sync(): Promise<void> {
    this.#health.expectLive('sync');
    this.recorder.flush();
    await this.#health.during('sync', this.device.queue.onSubmittedWorkDone());
    this.#health.expectLive('sync');
  }

  /** Throws DisposedError after `destroy`, naming `what` was to be done. */
  expectLive(what: string): void {
    this.#health.expectLive(what);
  }

  /** Throws when the device is lost, and once what went wrong on it outside evenkeel's own work. */
  check(): void {
    this.#health.check();
  }

  /** True while a step is being captured, or rehearsed. */
  get isCapturing(): boolean {
    return this.recorder.recording !== null;
  }

  /**
   * Runs `fn` on the host: now, or inside a capture before each run of the captured step, the first included. For what
   * varies from run to run and lies in device memory, such as the rate of an optimiser.
   */
  beforeRun(fn: () => void): void {
    const { recording } = this.recorder;
    if (recording) recording.beforeRun.push(fn);
    else fn();
  }

  /**
   * Compiles the fast form of every kernel that has run in its quick one so far: a software adapter begins with blocks
   * that compile in no time and goes over to others once their compilation pays, with the same results. For
   * measurements.
   */
  async settle(): Promise<void> {
    this.recorder.flush();
    await Promise.all(
      [...this.pipelines.values()].map(({ pipeline }) => (pipeline.isPostponed ? pipeline.compile() : undefined)),
    );
  }

  /**
   * Runs `fn`, a step of the work to come, until the fastest kernels for it are known; without this they are found
   * while the work goes on. Returns the choices so far. Throws RangeError unless `most`, the most runs, is a positive
   * integer; default: 1000.
   */
  async tune(fn: () => unknown, options: { most?: number } = {}): Promise<ChoiceReport[]> {
    expectOptions('tune', options, ['most']);
    const { most = 1000 } = options;
    if (!Number.isInteger(most) || most < 1) throw new RangeError(`tune: most is ${most}, expected a positive integer`);
    for (let i = 0; i < most; i++) {
      await fn();
      await this.sync();
      if (this.choices.undecided === 0) break;
    }
    return this.choices.report;
  }

  /** The fastest kernels found on this device so far, for `JSON.stringify` and the option `tuned` of {@link init}. */
  tuned(): TuningFile {
    return this.choices.file;
  }

  /**
   * Runs `fn` and reports where the time went: kernel by kernel, captured steps too, whatever reaches this device until
   * `fn` is done. Each dispatch gets a pass of its own, so the whole is slower than without. Device times come from
   * timestamp queries, which browsers round to .1 ms unless a developer flag is set; a device without them gives none.
   */
  profile<T>(fn: () => T | Promise<T>): Promise<Profile<T>> {
    return profiled(this.recorder, this.device, () => this.sync(), fn);
  }

  /** A buffer for the temporaries of a replay, which are live as long as it is. */
  createArena(size: number): DeviceBuffer {
    return this.#memory.createArena(size);
  }

  destroyArenas(arenas: readonly DeviceBuffer[]): void {
    this.recorder.flush();
    this.recorder.dropBindGroups();
    for (const arena of arenas) this.#memory.destroyArena(arena);
  }

  /** Destroys the free buffers of the pool. */
  trim(): void {
    this.recorder.flush();
    this.recorder.dropBindGroups();
    this.#pool.trim();
  }

  /** Frees the device, unless it was passed in by the caller. Idempotent. */
  destroy(): void {
    if (this.#health.isDestroyed) return;
    this.recorder.flush();
    this.#health.markDestroyed();
    this.#pool.close();
    this.#readback.destroy();
    if (current === this) current = null;
    if (this.#isOwned) this.device.destroy();
  }

  [symbolDispose](): void {
    this.destroy();
  }
}
