import { ALIGN, alignUp } from './pool.ts';

/** One temporary of a captured step. */
export interface Lifetime {
  readonly bytes: number;
  /** Index of the first and of the last command that uses it; `last` is Infinity when it outlives the step. */
  readonly first: number;
  readonly last: number;
  /** Temporaries that must not share a buffer with it, because one dispatch reads one and writes the other. */
  readonly apart: ReadonlySet<number>;
}

/** Where each temporary lies, and the size of each arena in bytes. */
export interface Plan {
  readonly places: readonly { readonly arena: number; readonly offset: number }[];
  readonly arenas: readonly number[];
  /** The most bytes that live at one command: no plan can need less. */
  readonly bound: number;
}

/** Search stops at a plan this close to the lower bound, as a factor. */
const ENOUGH = 1.05;
/** Orders with blurred sizes that are tried after the others. */
const SHUFFLES = 24;

/**
 * Places temporaries by liveness, each at the lowest free offset of the arena that grows least. Two that live at the
 * same time never overlap. WebGPU rejects one buffer bound both for reading and for writing in a dispatch, even for
 * disjoint ranges, so the two sides of a dispatch go to different arenas; a chain of layers needs two or three. The
 * order decides: largest first, from the last back, from the first on, then largest first with the sizes blurred; the
 * smallest plan wins.
 */
export function planMemory(lifetimes: readonly Lifetime[]): Plan {
  const bound = mostLive(lifetimes);
  const ids = lifetimes.map((_, i) => i);
  const by = (key: (l: Lifetime, i: number) => number): number[] => {
    const keys = lifetimes.map(key);
    return [...ids].sort((a, b) => keys[b]! - keys[a]! || a - b);
  };
  let best = place(
    lifetimes,
    by((l) => l.bytes),
  );
  const attempts = [
    () => by((l) => l.first),
    () => by((l) => -l.first),
    ...Array.from({ length: SHUFFLES }, (_, n) => () => by((l, i) => Math.log(l.bytes + 1) + 3 * blur(n, i))),
  ];
  for (const attempt of attempts) {
    if (total(best) <= ENOUGH * bound) break;
    const next = place(lifetimes, attempt());
    if (total(next) < total(best)) best = next;
  }
  return { ...best, bound };
}

type Placement = Pick<Plan, 'places' | 'arenas'>;

const total = ({ arenas }: Placement): number => arenas.reduce((sum, a) => sum + a, 0);

const sizeOn = (l: Lifetime): number => alignUp(Math.max(1, l.bytes), ALIGN);

/**
 * A fixed fraction in [0, 1) for item i of attempt n: the golden ratio's multiples, well spread and the same
 * everywhere.
 */
const blur = (n: number, i: number): number => ((n + 1) * (i + 1) * 0.6180339887498949) % 1;

/** The most bytes that live at one command. */
export function mostLive(lifetimes: readonly Lifetime[]): number {
  const changes = lifetimes
    .flatMap((l) => [
      { at: l.first, bytes: sizeOn(l) },
      { at: l.last + 1, bytes: -sizeOn(l) },
    ])
    .sort((a, b) => a.at - b.at || a.bytes - b.bytes);
  let live = 0;
  let most = 0;
  for (const { bytes } of changes) most = Math.max(most, (live += bytes));
  return most;
}

function place(lifetimes: readonly Lifetime[], order: readonly number[]): Placement {
  const places: { arena: number; offset: number }[] = new Array(lifetimes.length);
  const arenas: { size: number; members: number[] }[] = [];
  for (const i of order) {
    const me = lifetimes[i]!;
    const size = sizeOn(me);
    let best = { arena: arenas.length, offset: 0, growth: size };
    arenas.forEach((arena, a) => {
      if (arena.members.some((j) => me.apart.has(j))) return;
      const taken = arena.members
        .filter((j) => lifetimes[j]!.first <= me.last && me.first <= lifetimes[j]!.last)
        .map((j) => [places[j]!.offset, places[j]!.offset + sizeOn(lifetimes[j]!)] as const)
        .sort((p, q) => p[0] - q[0]);
      let offset = 0;
      for (const [from, to] of taken) {
        if (offset + size <= from) break;
        offset = Math.max(offset, to);
      }
      const growth = Math.max(0, offset + size - arena.size);
      if (growth < best.growth) best = { arena: a, offset, growth };
    });
    const arena = (arenas[best.arena] ??= { size: 0, members: [] });
    arena.size = Math.max(arena.size, best.offset + size);
    arena.members.push(i);
    places[i] = { arena: best.arena, offset: best.offset };
  }
  return { places, arenas: arenas.map((a) => a.size) };
}
