import { gpu } from './gpu.ts';
import { tuningFor, type Tuning } from '../../src/gpu/tuning/index.ts';

const known = (kind: 'hardware' | 'software'): Tuning => tuningFor(gpu.adapter, gpu.device.features, kind);

/** Runs `body` with the blocks and paths that the library takes on a kind of adapter, whichever is there. */
export async function asTuned<T>(kind: 'hardware' | 'software' | Tuning, body: () => Promise<T>): Promise<T> {
  const of = gpu as { tuning: Tuning };
  const own = of.tuning;
  of.tuning = typeof kind === 'string' ? known(kind) : kind;
  try {
    return await body();
  } finally {
    of.tuning = own;
  }
}

/**
 * The bits that `body` gives with the tuning for processors, and with each block that the tuning for GPUs lists: for
 * every product and convolution of `body` the same place of its list, the last of a shorter one.
 */
export async function bitsByTile(
  body: () => Promise<readonly ArrayLike<number>[]>,
): Promise<{ software: number[][]; hardware: Map<number, number[][]> }> {
  const bits = async (tuning: 'software' | Tuning): Promise<number[][]> =>
    (await asTuned(tuning, body)).map((values) => [...new Uint32Array(Float32Array.from(values).buffer)]);
  const hardware = known('hardware');
  const found = new Map<number, number[][]>();
  for (let place = 0, longest = 1; place < longest; place++) {
    const only = <T>(tiles: readonly T[]): readonly T[] => {
      longest = Math.max(longest, tiles.length);
      return tiles.slice(Math.min(place, tiles.length - 1)).slice(0, 1);
    };
    const tuning: Tuning = {
      ...hardware,
      tilesFor: (...product) => only(hardware.tilesFor(...product)),
      convolutionTiles: (...product) => only(hardware.convolutionTiles(...product)),
    };
    found.set(place, await bits(tuning));
  }
  return { software: await bits('software'), hardware: found };
}
