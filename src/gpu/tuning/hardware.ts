import { SMALL_TILE, type Tile, type Tuning, type WorkgroupTile } from './tuning.ts';

/** A GPU hides loads with many invocations and spills large blocks. */
const LARGE_TILE: Tile = { m: 8, n: 8, groupX: 8, groupY: 8 };
/** Invocations that it takes to hide loads. */
const LEAST = 4096;

/** From the largest on: more sums of an invocation share what it reads, fewer need less of a large grid. */
const CONVOLUTION_TILES: readonly WorkgroupTile[] = [
  { m: 8, n: 4, lanesX: 16, lanesY: 8, depth: 16 },
  { m: 4, n: 4, lanesX: 16, lanesY: 16, depth: 16 },
  { m: 8, n: 4, lanesX: 16, lanesY: 4, depth: 16 },
  { m: 4, n: 4, lanesX: 16, lanesY: 8, depth: 16 },
  { m: 4, n: 4, lanesX: 16, lanesY: 4, depth: 16 },
];
/** Workgroups that keep a large GPU busy. */
const BUSY = 256;

/** The tuning for GPUs. */
export const hardwareTuning: Tuning = {
  name: 'hardware',
  bodies: 'hardware',
  maximaAsIntegers: false,
  wanted: { product: 2048, statistics: 16_384 },
  sharesUnder: 16_384,
  // No workgroup has under 64 invocations: with fewer, lanes of a wave idle.
  tileFor(m, n, layers) {
    const { m: rows, n: columns } = LARGE_TILE;
    const invocations = Math.ceil(m / rows) * Math.ceil(n / columns) * layers;
    const isLarge = m > rows / 2 && n > columns / 2 && invocations >= LEAST;
    return { tile: isLarge ? LARGE_TILE : SMALL_TILE, pays: null };
  },
  convolutionTiles(m, n, layers) {
    const blocks = (size: number, each: number): number => Math.ceil(size / each);
    const rows = (t: WorkgroupTile): number => blocks(m, t.m * t.lanesY) * t.m * t.lanesY;
    const fitting = CONVOLUTION_TILES.filter((t) => rows(t) <= 1.25 * 16 * blocks(m, 16));
    const isBusy = (t: WorkgroupTile): boolean =>
      blocks(m, t.m * t.lanesY) * blocks(n, t.n * t.lanesX) * layers >= BUSY;
    return [...fitting.filter(isBusy), ...fitting.filter((t) => !isBusy(t)).reverse()];
  },
};
