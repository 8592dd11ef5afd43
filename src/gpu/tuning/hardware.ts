import { SMALL_TILE, type Tile, type Tuning } from './tuning.ts';

/** A GPU hides loads with many invocations and spills large blocks. */
const LARGE_TILE: Tile = { m: 8, n: 8, groupX: 8, groupY: 8 };
/** Invocations that it takes to hide loads. */
const LEAST = 4096;

/** The tuning for GPUs. */
export const hardwareTuning: Tuning = {
  name: 'hardware',
  bodies: 'hardware',
  maximaAsIntegers: false,
  wanted: { product: 2048, filters: 4096 },
  // No workgroup has under 64 invocations: with fewer, lanes of a wave idle.
  tileFor(m, n, layers) {
    const { m: rows, n: columns } = LARGE_TILE;
    const invocations = Math.ceil(m / rows) * Math.ceil(n / columns) * layers;
    const isLarge = m > rows / 2 && n > columns / 2 && invocations >= LEAST;
    return { tile: isLarge ? LARGE_TILE : SMALL_TILE, pays: null };
  },
};
