import { expectOptions } from '../check/options.ts';
import { findAdapter, hostGpu, kindOf, type AdapterDescription } from './adapter.ts';
import { symbolDispose } from './dispose.ts';
import { GpuError, NoWebGPUError, OutOfMemoryError } from './errors.ts';
import { Health } from './health.ts';
import { Replay } from './capture.ts';
import { Faults } from './faults.ts';
import { raisedLimits } from './limits.ts';
import { noMemory, type MemoryReport } from './memory.ts';
import { alignUp, BufferPool, type DeviceBuffer } from './pool.ts';
import type { Compiled, Pipeline } from './pipeline.ts';
import { profiled } from './profile.ts';
import type { Profile } from './profile-report.ts';
import { Readback } from './readback.ts';
import { firstPipelines, Recorder, type Command } from './recorder.ts';
import { Storage, type Bindable } from './storage.ts';
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
  expectOptions('init', options, ['device', 'gpu', 'adapter', 'debug']);
  if (options.device) {
    const info = (options.device as { adapterInfo?: GPUAdapterInfo }).adapterInfo;
    return (current = new Gpu(options.device, info, false, options.debug));
  }
  const api = options.gpu ?? hostGpu();
  const adapter = await findAdapter(api, options.adapter);
  const device = await adapter.requestDevice(raisedLimits(adapter));
  return (current = new Gpu(device, adapter.info, true, options.debug));
}

/** A device with its recorder, memory and caches. Made by {@link init}. */
export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly debug: boolean;
  readonly recorder: Recorder;
  readonly uniforms: UniformCache;
  readonly faults: Faults;
  /** Compiled pipelines by label and variant, layouts of entry points by label, and shaders by variant. */
  readonly pipelines = new Map<string, Compiled>();
  readonly layouts = new Map<string, GPUBindGroupLayout>();
  readonly shaders = new Map<string, GPUShaderModule>();
  /** What was sent to the queue so far. */
  readonly counters = { dispatches: 0, submits: 0, bindGroups: 0, writes: 0, reads: 0 };
  readonly #pool: BufferPool;
  readonly #owned: boolean;
  readonly #readback: Readback;
  #arenaBytes = 0;
  #live = 0;
  #peak = 0;
  #constantBytes = 0;
  /** Live memory outside captures. */
  readonly #storages = new Set<Storage>();
  readonly #constants = new Map<string, Bindable>();
  #capturing: Storage[] | null = null;
  /** What the host does before each run of the step that is being captured. */
  #beforeRun: (() => void)[] = [];
  readonly #health: Health;

  constructor(device: GPUDevice, info: GPUAdapterInfo | undefined, owned: boolean, debug = false) {
    this.device = device;
    this.debug = debug;
    this.#owned = owned;
    const name = info
      ? [info.description || info.device, info.vendor, info.architecture].filter(Boolean).join(', ')
      : 'unknown adapter';
    this.adapter = {
      name: name || 'unnamed adapter',
      kind: info ? kindOf(info) : 'hardware',
      quads: /swiftshader/i.test(name) && device.features.has('subgroups'),
    };
    this.recorder = new Recorder(this);
    this.faults = new Faults(device);
    this.uniforms = new UniformCache(device, this.faults);
    this.#pool = new BufferPool(device, this.faults);
    this.#readback = new Readback(device, this.faults);
    this.#health = new Health(device, owned);
  }

  /** Buffers created so far, arenas included. */
  get buffersCreated(): number {
    return this.#pool.created;
  }

  memory(): MemoryReport {
    return {
      live: this.#live + this.#arenaBytes,
      pooled: this.#pool.pooledBytes,
      peak: this.#peak,
      constants: this.#constantBytes,
    };
  }

  /** Device memory for `bytes` bytes, for what `label` says; inside a capture it is only planned, unless `now`. */
  allocate(bytes: number, now = false, label = `${bytes} bytes`): Storage {
    this.#health.expectLive('tensor');
    if (bytes > this.device.limits.maxStorageBufferBindingSize) {
      throw new OutOfMemoryError(
        `a tensor of ${bytes} bytes is over this adapter's limit of ` +
          `${this.device.limits.maxStorageBufferBindingSize} bytes a binding`,
      );
    }
    if (this.#capturing && !now) {
      const storage = new Storage(this, bytes, null);
      storage.planned = true;
      this.#capturing.push(storage);
      return storage;
    }
    const storage = new Storage(
      this,
      bytes,
      this.#pool.acquire(bytes, (cause) => this.#noMemory(`a tensor of ${label}`, bytes, cause)),
    );
    storage.label = label;
    this.#storages.add(storage);
    this.#grow(bytes);
    return storage;
  }

  /**
   * A tensor of the library that is made once for this device and kept, and anew if a failure spoilt it; it does not
   * count as live.
   */
  constant<T extends Bindable>(name: string, make: () => T): T {
    if (!this.#constants.has(name) || this.#constants.get(name)!.storage.fault) {
      const before = this.#live;
      this.#constants.set(name, make());
      this.#constantBytes += this.#live - before;
      this.#live = before;
    }
    return this.#constants.get(name) as T;
  }

  /** Called by a storage when its last reference goes. */
  free(storage: Storage): void {
    if (storage.planned || !storage.buffer) return;
    this.#live -= storage.bytes;
    this.#storages.delete(storage);
    if (!this.#health.isDestroyed) this.#pool.release(storage.buffer);
    storage.buffer = null;
  }

  /** Copies host bytes to the device, after all work recorded so far. */
  write(storage: Storage, offset: number, data: ArrayBufferView<ArrayBuffer>): void {
    if (data.byteLength === 0) return;
    this.#health.expectLive('write');
    if (!storage.buffer)
      throw new GpuError('write: the tensor was freed, or belongs to a step that is still being captured');
    if (this.recorder.uses(storage.buffer)) this.recorder.flush();
    const [to, { buffer, byteOffset, byteLength }] = [storage.buffer.raw, data];
    this.faults.write(storage, offset === 0 && byteLength >= storage.bytes, () =>
      this.device.queue.writeBuffer(to, storage.base + offset, buffer, byteOffset, byteLength),
    );
    this.counters.writes++;
    storage.version++;
  }

  /**
   * Reads byte ranges back in one submit and one wait each. Rejects with the first cause when something failed on the
   * device on which these values depend; a failure of other work does not matter.
   */
  async read(ranges: readonly { storage: Storage; offset: number; bytes: number }[]): Promise<ArrayBuffer[]> {
    this.#health.expectLive('read');
    if (this.#capturing) throw new GpuError('read inside a captured step: read its outputs after capture() returns');
    // Pending work of others is submitted apart, so that a failure of it is not one of this read.
    if (ranges.every(({ storage }) => !storage.buffer || !this.recorder.uses(storage.buffer))) this.recorder.flush();
    const readings = ranges.map(({ storage, offset, bytes }) => {
      const padded = alignUp(Math.max(4, bytes), 4);
      const reading = this.#readback.take(padded);
      if (bytes > 0)
        this.recorder.push({
          kind: 'copy',
          from: storage,
          fromOffset: offset,
          to: reading,
          toOffset: 0,
          bytes: padded,
        });
      return reading;
    });
    this.recorder.flush();
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

  /** Drops parameters and shaders that a failure may have spoilt; they are made anew when needed. */
  forget(): void {
    this.uniforms.clear();
    this.shaders.clear();
  }

  /**
   * Records what `step` launches; returns its value and the list, played once. `keep` names the storages of the value.
   */
  capture<T>(step: () => T, keep: (value: T) => Iterable<Storage>): { value: T; replay: Replay } {
    this.#health.expectLive('capture');
    if (this.#capturing) throw new GpuError('capture inside a captured step');
    const commands = (this.recorder.sink = []);
    const planned = (this.#capturing = [] as Storage[]);
    const beforeRun = (this.#beforeRun = [] as (() => void)[]);
    const { borrowed } = this.recorder;
    try {
      const value = step();
      this.recorder.sink = this.#capturing = null;
      for (const prepare of beforeRun) prepare();
      const replay = new Replay(this, commands, planned, new Set(keep(value)), [...borrowed], beforeRun);
      borrowed.clear();
      return { value, replay };
    } finally {
      this.recorder.sink = this.#capturing = null;
      for (const s of borrowed) s.release();
      borrowed.clear();
    }
  }

  /** True while a step is being captured, or rehearsed. */
  get isCapturing(): boolean {
    return this.#capturing !== null;
  }

  /**
   * Runs `fn` on the host: now, or inside a capture before each run of the captured step, the first included. For what
   * varies from run to run and lies in device memory, such as the rate of an optimiser.
   */
  beforeRun(fn: () => void): void {
    if (this.#capturing) this.#beforeRun.push(fn);
    else fn();
  }

  /** The pipelines that a first run of `step` launches; what it records is thrown away. */
  rehearse(step: () => void): Pipeline[] {
    if (this.#capturing) throw new GpuError('prepare inside a captured step');
    const commands = (this.recorder.sink = [] as Command[]);
    this.#capturing = [];
    this.#beforeRun = [];
    try {
      step();
    } finally {
      this.recorder.sink = this.#capturing = null;
      for (const s of this.recorder.borrowed) s.release();
      this.recorder.borrowed.clear();
    }
    return firstPipelines(commands);
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
   * Runs `fn` and tells where the time went: kernel by kernel, captured steps too, whatever reaches this device until
   * `fn` is done. Each dispatch gets a pass of its own, so the whole is slower than without. Device times come from
   * timestamp queries, which browsers round to .1 ms unless a developer flag is set; a device without them gives none.
   */
  profile<T>(fn: () => T | Promise<T>): Promise<Profile<T>> {
    return profiled(this, fn);
  }

  createArena(size: number): DeviceBuffer {
    const arena = this.#pool.create(size, (cause) => this.#noMemory('the temporaries of a captured step', size, cause));
    this.#arenaBytes += size;
    this.#grow(0);
    return arena;
  }

  destroyArenas(arenas: readonly DeviceBuffer[]): void {
    this.recorder.flush();
    this.recorder.forget();
    for (const arena of arenas) {
      this.#arenaBytes -= arena.size;
      arena.raw.destroy();
    }
  }

  /** Gives idle buffers back to the system. */
  trim(): void {
    this.recorder.flush();
    this.recorder.forget();
    this.#pool.trim();
  }

  /** Frees the device, unless it was passed in by the caller. Idempotent. */
  destroy(): void {
    if (this.#health.isDestroyed) return;
    this.recorder.flush();
    this.#health.markDestroyed();
    this.#pool.trim();
    this.#readback.destroy();
    if (current === this) current = null;
    if (this.#owned) this.device.destroy();
  }

  [symbolDispose](): void {
    this.destroy();
  }

  #noMemory(what: string, bytes: number, cause: Error): Error {
    return noMemory(what, bytes, this.#live + this.#arenaBytes, this.#storages, cause);
  }

  #grow(bytes: number): void {
    this.#live += bytes;
    this.#peak = Math.max(this.#peak, this.#live + this.#arenaBytes);
  }
}
