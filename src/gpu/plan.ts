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
}

/**
 * Places temporaries by liveness: largest first, at the lowest free offset of the arena that grows least. Two that live
 * at the same time never overlap. WebGPU rejects one buffer bound both for reading and for writing in a dispatch, even
 * for disjoint ranges, so the two sides of a dispatch go to different arenas; a chain of layers needs two or three.
 */
export function planMemory(lifetimes: readonly Lifetime[]): Plan {
  const order = lifetimes.map((_, i) => i).sort((a, b) => lifetimes[b]!.bytes - lifetimes[a]!.bytes || a - b);
  const places: { arena: number; offset: number }[] = new Array(lifetimes.length);
  const arenas: { size: number; members: number[] }[] = [];
  for (const i of order) {
    const me = lifetimes[i]!;
    const size = alignUp(Math.max(1, me.bytes));
    let best = { arena: arenas.length, offset: 0, growth: size };
    arenas.forEach((arena, a) => {
      if (arena.members.some((j) => me.apart.has(j))) return;
      const taken = arena.members
        .filter((j) => lifetimes[j]!.first <= me.last && me.first <= lifetimes[j]!.last)
        .map((j) => [places[j]!.offset, places[j]!.offset + alignUp(lifetimes[j]!.bytes)] as const)
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
  return { places, arenas: arenas.map((a) => alignUp(a.size, ALIGN)) };
}
