import type { FamilyDefaults } from './defaults.ts';
import { SMALL_TILE, type ProductTraits, type Tile, type Tuning, type WorkgroupTile } from './tuning.ts';

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
const tiled = (m: number, n: number, groupX: number, groupY: number, depth: number): Tile => ({
  m,
  n,
  groupX,
  groupY,
  depth,
});
/** Tiles in workgroup memory of 128 x 128, 64 x 64 thrice, and 32 x 32 outputs. */
const TILE_128 = tiled(8, 8, 16, 16, 2);
const TILE_64 = tiled(8, 4, 16, 8, 4);
const TILE_64_SLIM = tiled(4, 4, 16, 16, 4);
/** For several left operands. */
const TILE_64_FLAT = { ...TILE_64_SLIM, depth: 2 };
const TILE_64_WIDE = tiled(8, 8, 8, 8, 2);
const TILE_32 = tiled(4, 4, 8, 8, 4);
/** For up to 16 and up to 4 columns; the latter by whether the terms of a row lie side by side. */
const COLUMNS_16 = tiled(4, 4, 4, 16, 4);
const COLUMNS_4 = { sideBySide: tiled(4, 4, 1, 16, 8), apart: tiled(4, 4, 1, 64, 2) };
/** The same for rows. */
const ROWS_16 = tiled(4, 4, 16, 4, 4);
const ROWS_4 = { sideBySide: tiled(4, 4, 16, 1, 8), apart: tiled(4, 4, 64, 1, 2) };

/** Those of `tiles` with few enough sums first, each part in its order. */
const fewerSums = <T extends { m: number; n: number }>(tiles: readonly T[], sums: number): readonly T[] => [
  ...tiles.filter((t) => t.m * t.n <= sums),
  ...tiles.filter((t) => t.m * t.n > sums),
];

/** The tiles for a product, the largest that keeps `busy` workgroups at work first. */
function tilesFor(
  busy: number,
  m: number,
  n: number,
  layers: number,
  { transposeA = false, transposeB = false, isLong = false, planes = 1 }: ProductTraits,
): readonly Tile[] {
  const groups = ({ m: rows, n: columns, groupX, groupY }: Tile): number =>
    Math.ceil(m / (rows * groupY)) * Math.ceil(n / (columns * groupX)) * layers;
  if (planes > 1) return groups(TILE_64_SLIM) >= busy ? [TILE_64_FLAT, TILE_32] : [TILE_32, TILE_64_FLAT];
  if (n <= 4 && n <= m) return [transposeA ? COLUMNS_4.apart : COLUMNS_4.sideBySide, COLUMNS_16];
  if (m <= 4) return [transposeB ? ROWS_4.sideBySide : ROWS_4.apart, ROWS_16];
  if (n <= 16 && n <= m) return [COLUMNS_16, TILE_32];
  if (m <= 16) return [ROWS_16, TILE_32];
  // A long inner operation needs the registers for itself.
  if (isLong) return groups(TILE_64_SLIM) >= busy ? [TILE_64_SLIM, TILE_32] : [TILE_32, TILE_64_SLIM];
  if (groups(TILE_128) >= 2 * busy) return [TILE_128, TILE_64, TILE_64_WIDE, TILE_64_SLIM];
  if (groups(TILE_64) >= busy) return [TILE_64, TILE_64_SLIM, TILE_64_WIDE, TILE_32];
  return [TILE_32, TILE_64_SLIM, TILE_64];
}

/** The tuning for GPUs of a family. */
export function hardwareTuning({ sums, groups, because }: FamilyDefaults): Tuning {
  return {
    name: 'hardware',
    because,
    bodies: 'hardware',
    maximaAsIntegers: false,
    wanted: { product: Infinity },
    sharesUnder: 16_384,
    // An invocation a part, as in two dispatches, so that as many are at work.
    groupOfSum: (sums, parts) => (sums >= 16 && parts >= 64 ? 64 * Math.ceil(parts / 64) : 0),
    tilesFor: (...product) => fewerSums(tilesFor(groups, ...product), sums).map((tile) => ({ tile, pays: null })),
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
        blocks(m, t.m * t.lanesY) * blocks(n, t.n * t.lanesX) * layers >= 2 * groups;
      return fewerSums([...fitting.filter(isBusy), ...fitting.filter((t) => !isBusy(t)).reverse()], sums);
    },
  };
}
