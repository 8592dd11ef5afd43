import type { Gpu } from './device.ts';
import { DisposedError } from './errors.ts';
import { planMemory } from './plan.ts';
import type { DeviceBuffer } from './pool.ts';
import { storagesOf, writtenBy, type Command } from './recorder.ts';
import type { Storage } from './storage.ts';

/** A recorded list of commands with its memory, ready to be played again in one submit. */
export class Replay {
  readonly #gpu: Gpu;
  readonly #commands: readonly Command[];
  readonly #arenas: DeviceBuffer[];
  /** The most bytes of temporaries that are needed at one time. */
  readonly bound: number;
  readonly #planned: readonly Storage[];
  readonly #borrowed: readonly Storage[];
  /** Those of them that a run writes. */
  readonly #written: readonly Storage[];
  readonly #beforeRun: readonly (() => void)[];
  #isBroken = false;
  #disposed = false;

  /**
   * Places the temporaries of `commands` and plays the list once.
   * `planned`: storages allocated while recording; `kept`: those of them that the caller reads afterwards;
   * `borrowed`: all others, each retained once for this replay; `beforeRun`: what the host does before each run.
   */
  constructor(
    gpu: Gpu,
    commands: readonly Command[],
    planned: readonly Storage[],
    kept: ReadonlySet<Storage>,
    borrowed: readonly Storage[],
    beforeRun: readonly (() => void)[],
  ) {
    this.#gpu = gpu;
    this.#beforeRun = beforeRun;
    this.#commands = commands;
    const index = new Map(planned.map((s, i) => [s, i]));
    const lives = planned.map((s) => ({
      bytes: s.bytes,
      first: -1,
      last: kept.has(s) ? Infinity : -1,
      apart: new Set<number>(),
    }));
    commands.forEach((c, at) => {
      const all = storagesOf(c);
      for (const s of all) {
        const live = lives[index.get(s) ?? -1];
        if (!live) continue;
        if (live.first < 0) live.first = at;
        live.last = Math.max(live.last, at);
      }
      const writes = c.kind === 'dispatch' ? c.slots.filter((s) => s.writes).map((s) => s.storage) : all.slice(-1);
      for (const w of writes) {
        for (const r of all) {
          const [a, b] = [index.get(w), index.get(r)];
          const bothWritten = writes.includes(r);
          if (a === undefined || b === undefined || a === b || bothWritten) continue;
          lives[a]!.apart.add(b);
          lives[b]!.apart.add(a);
        }
      }
    });
    const used = planned.filter((_, i) => lives[i]!.first >= 0);
    const renumber = new Map(used.map((s, i) => [index.get(s)!, i]));
    const plan = planMemory(
      used.map((s) => {
        const live = lives[index.get(s)!]!;
        return { ...live, apart: new Set([...live.apart].map((j) => renumber.get(j)!)) };
      }),
    );
    this.bound = plan.bound;
    this.#arenas = [];
    this.#planned = planned;
    this.#borrowed = borrowed;
    const targets = new Set(commands.flatMap(writtenBy));
    this.#written = borrowed.filter((s) => targets.has(s));
    try {
      for (const size of plan.arenas) this.#arenas.push(gpu.createArena(size));
      used.forEach((s, i) => {
        s.buffer = this.#arenas[plan.places[i]!.arena]!;
        s.base = plan.places[i]!.offset;
      });
      for (const c of commands) gpu.recorder.resolve(c);
    } catch (error) {
      for (const s of planned) s.buffer = null;
      gpu.destroyArenas(this.#arenas);
      throw error;
    }
    this.#submit();
  }

  /** Bytes of the arenas that hold the temporaries. */
  get bytes(): number {
    return this.#arenas.reduce((sum, a) => sum + a.size, 0);
  }

  /** Dispatches of one run. */
  get dispatches(): number {
    return this.#commands.filter((c) => c.kind === 'dispatch').length;
  }

  /** Plays the list: one encoder, one submit, nothing allocated. */
  run(): void {
    if (this.#disposed) throw new DisposedError('capture: run after dispose');
    this.#gpu.expectLive('captured step');
    for (const prepare of this.#beforeRun) prepare();
    if (this.#gpu.faults.any) {
      // Each run makes the temporaries anew, so what was wrong with them is over.
      for (const s of this.#planned) s.fault = null;
      this.#mend();
    }
    // The first run raised the versions as it was recorded.
    for (const s of this.#written) s.version++;
    this.#submit();
  }

  #submit(): void {
    this.#gpu.recorder.submit(this.#commands, () => (this.#isBroken = true));
  }

  /** Gives the commands new memory, parameters and bind groups where a failure of the device has left them none. */
  #mend(): void {
    const { recorder, uniforms } = this.#gpu;
    const isWrong = (c: Command): boolean => c.kind === 'dispatch' && c.uniform !== null && c.uniform.fault !== null;
    if (!this.#isBroken && this.#arenas.every((a) => !a.fault) && !this.#commands.some(isWrong)) return;
    this.#isBroken = false;
    this.#arenas.forEach((arena, i) => {
      if (!arena.fault) return;
      const next = this.#gpu.createArena(arena.size);
      for (const s of this.#planned) if (s.buffer === arena) s.buffer = next;
      this.#arenas[i] = next;
      this.#gpu.destroyArenas([arena]);
    });
    for (const c of this.#commands) {
      if (c.kind === 'dispatch' && c.params) c.uniform = uniforms.get(c.params);
      recorder.resolve(c);
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const s of this.#borrowed) s.release();
    for (const s of this.#planned) s.buffer = null;
    this.#gpu.destroyArenas(this.#arenas);
  }
}
