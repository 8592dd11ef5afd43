import { groupsIn, joinsIn, withGroups, type Group } from './fuse.ts';
import { storagesOf, writtenBy, type Command } from './commands.ts';
import type { Gpu } from './device.ts';
import { DisposedError } from './errors.ts';
import { mostLive, planMemory, type Lifetime, type Plan } from './plan.ts';
import type { DeviceBuffer } from './pool.ts';
import type { Recording } from './recording.ts';
import type { Storage } from './storage.ts';

/**
 * A recorded step with its memory, to be run any number of times; `capture` returns an object that holds one. The
 * commands keep their bind groups and the temporaries their places in a few arenas, so a run is one encoder and one
 * submit, and allocates nothing.
 */
export class Replay {
  /** Dispatches of one run. */
  readonly dispatches: number;
  /** The most bytes of temporaries that are needed at one time. */
  readonly bound: number;
  readonly #gpu: Gpu;
  readonly #recording: Recording;
  readonly #commands: readonly Command[];
  readonly #arenas: DeviceBuffer[] = [];
  /** Borrowed storages that a run writes. */
  readonly #written: readonly Storage[];
  #isBroken = false;
  #isDisposed = false;

  /** Places the temporaries of `recording`, which it takes over, and runs it once. `kept`: what is read afterwards. */
  constructor(gpu: Gpu, recording: Recording, kept: ReadonlySet<Storage>) {
    this.#gpu = gpu;
    this.#recording = recording;
    const { borrowed } = recording;
    const { commands, lifetimes, plan } = fusedPlan(gpu, recording, kept);
    this.#commands = commands;
    this.dispatches = commands.filter((c) => c.kind === 'dispatch').length;
    const targets = new Set(commands.flatMap(writtenBy));
    this.#written = [...borrowed].filter((s) => targets.has(s));
    const { arenas, places, bound } = plan;
    this.bound = bound;
    try {
      for (const size of arenas) this.#arenas.push(gpu.createArena(size));
      [...lifetimes.keys()].forEach((storage, i) => {
        storage.buffer = this.#arenas[places[i]!.arena]!;
        storage.base = places[i]!.offset;
      });
      for (const c of commands) gpu.recorder.resolve(c);
      for (const prepare of recording.beforeRun) prepare();
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.#submit();
  }

  /** Bytes of the arenas that hold the temporaries. */
  get bytes(): number {
    return this.#arenas.reduce((sum, a) => sum + a.size, 0);
  }

  /** Runs the step once more: the same commands on the same memory. */
  run(): void {
    if (this.#isDisposed) throw new DisposedError('capture: run after dispose');
    this.#gpu.expectLive('captured step');
    for (const prepare of this.#recording.beforeRun) prepare();
    if (this.#gpu.faults.any) {
      // Each run computes the temporaries afresh, so their earlier faults are cleared.
      for (const s of this.#recording.planned) s.fault = null;
      this.#mend();
    }
    // The first run raised the versions as it was recorded.
    for (const s of this.#written) s.version++;
    this.#submit();
  }

  /** Frees its memory, and what it borrowed. Idempotent. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#recording.release();
    for (const s of this.#recording.planned) s.buffer = null;
    this.#gpu.destroyArenas(this.#arenas);
  }

  #submit(): void {
    this.#gpu.recorder.submit(this.#commands, () => (this.#isBroken = true));
  }

  /** Gives the commands new memory, parameters and bind groups where a failure of the device has left them none. */
  #mend(): void {
    const { recorder, uniforms } = this.#gpu;
    const { planned } = this.#recording;
    const commands = this.#commands;
    const isWrong = (c: Command): boolean => c.kind === 'dispatch' && c.uniform !== null && c.uniform.fault !== null;
    if (!this.#isBroken && this.#arenas.every((a) => !a.fault) && !commands.some(isWrong)) return;
    this.#isBroken = false;
    this.#arenas.forEach((arena, i) => {
      if (!arena.fault) return;
      const next = this.#gpu.createArena(arena.size);
      for (const s of planned) if (s.buffer === arena) s.buffer = next;
      this.#arenas[i] = next;
      this.#gpu.destroyArenas([arena]);
    });
    for (const c of commands) {
      if (c.kind === 'dispatch' && c.params) c.uniform = uniforms.get(c.params);
      recorder.resolve(c);
    }
  }
}

/** Commands with the memory that they need. */
export interface Planned {
  readonly commands: readonly Command[];
  readonly lifetimes: Map<Storage, Lifetime>;
  readonly plan: Plan;
}

/**
 * The commands with elementwise ops fused and other dispatches joined, as far as that takes no more memory: a result
 * may vanish, but operands live until the last op of their group.
 */
export function fusedPlan(gpu: Gpu, recording: Recording, kept: ReadonlySet<Storage>): Planned {
  const { planned } = recording;
  const planOf = (commands: readonly Command[]): Planned => {
    const lifetimes = lifetimesOf(commands, planned, kept);
    return { commands, lifetimes, plan: planMemory([...lifetimes.values()]) };
  };
  const total = ({ plan }: Planned): number => plan.arenas.reduce((sum, a) => sum + a, 0);
  const grouped = (plain: Planned, groups: readonly Group[]): Planned => {
    if (groups.length === 0) return plain;
    const all = planOf(withGroups(plain.commands, groups));
    if (total(all) <= total(plain)) return all;
    const cheap: Group[] = [];
    for (const group of groups) {
      const commands = withGroups(plain.commands, [...cheap, group]);
      if (mostLive([...lifetimesOf(commands, planned, kept).values()]) <= plain.plan.bound) cheap.push(group);
    }
    const partly = planOf(withGroups(plain.commands, cheap));
    return total(partly) <= total(plain) ? partly : plain;
  };
  const chained = grouped(planOf(recording.commands), groupsIn(gpu, recording, kept));
  return grouped(chained, joinsIn(chained.commands));
}

/** When each planned storage that is used lives, by command; those in `kept` outlive the step. */
function lifetimesOf(
  commands: readonly Command[],
  planned: readonly Storage[],
  kept: ReadonlySet<Storage>,
): Map<Storage, Lifetime> {
  const uses = new Map<Storage, { first: number; last: number; apart: Set<Storage> }>();
  const own = new Set(planned);
  commands.forEach((c, at) => {
    const used = storagesOf(c).filter((s) => own.has(s));
    for (const s of used) {
      const use = uses.get(s);
      if (use) use.last = Math.max(use.last, at);
      else uses.set(s, { first: at, last: kept.has(s) ? Infinity : at, apart: new Set() });
    }
    const written = new Set<unknown>(writtenBy(c));
    for (const w of used.filter((s) => written.has(s))) {
      for (const r of used.filter((s) => !written.has(s))) {
        uses.get(w)!.apart.add(r);
        uses.get(r)!.apart.add(w);
      }
    }
  });
  // In the order of allocation, which the plan goes by.
  const used = planned.filter((s) => uses.has(s));
  const index = new Map(used.map((s, i) => [s, i]));
  return new Map(
    used.map((s) => {
      const { first, last, apart } = uses.get(s)!;
      return [s, { bytes: s.bytes, first, last, apart: new Set([...apart].map((other) => index.get(other)!)) }];
    }),
  );
}
