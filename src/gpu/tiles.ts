import type { Gpu } from './device.ts';
import type { Quick } from './kernel.ts';

/** The register block of one invocation of the GEMM core, and its workgroup. */
export interface Tile {
  /** Rows and columns an invocation computes; multiples of four. */
  m: number;
  n: number;
  groupX: number;
  groupY: number;
  /** Four neighbours along x form a quad: each loads a quarter of their common rows, and they exchange them. */
  quads?: boolean;
}

/** A block of a software adapter: the fewest invocations that it is worth, and the arithmetic that pays for its compilation. */
type SoftwareTile = Tile & { least: number; pays: number };

const QUAD_TILES: readonly SoftwareTile[] = [
  { m: 32, n: 16, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 30 },
  { m: 32, n: 8, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 29 },
  { m: 16, n: 8, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 28 },
];

const LARGE_TILES: readonly SoftwareTile[] = [
  { m: 16, n: 16, groupX: 2, groupY: 4, least: 24, pays: 2 ** 29 },
  { m: 8, n: 16, groupX: 2, groupY: 4, least: 24, pays: 2 ** 28 },
  { m: 8, n: 8, groupX: 4, groupY: 4, least: 16, pays: 2 ** 28 },
];

/** A block for GPUs: it takes at least `LEAST_ON_GPU` invocations to hide loads. */
const GPU_TILE: Tile = { m: 8, n: 8, groupX: 4, groupY: 4 };
const LEAST_ON_GPU = 4096;

/** The smallest block: for long inner operations, whose unrolled code would take seconds to compile and which hide loads anyway. */
export const SMALL_TILE: Tile = { m: 4, n: 4, groupX: 8, groupY: 8 };

/** A block, and where it is slow to compile the arithmetic after which it pays: until then the smallest block does the work. */
export interface Choice {
  tile: Tile;
  pays: number | null;
}

/**
 * The block of an (m, n) product in `layers` pieces. Loads cost most on a software adapter, so it takes a large block that
 * still leaves every core some work, in quads where the adapter has them. But the code of a block is unrolled, and a large
 * one takes long to compile: a tenth of a second for 16 x 8 in quads, a fifth for 32 x 8, two fifths for 32 x 16, against a
 * fortieth for the smallest, which is half as fast. So the large one waits until it pays. All give the same bits: an output
 * is one sum in the order of its terms. Quads may waste a third of their columns, no more. A GPU hides loads behind many
 * invocations and spills large blocks: 8 x 8 when that still gives 4,096 invocations, else 4 x 4. Thin matrices take a block
 * no wider than they are. Ragged columns are stored one by one, in unrolled code, so they take a smaller one too.
 */
export function tileFor(gpu: Gpu, m: number, n: number, layers = 1): Choice {
  const invocations = (t: Tile): number => Math.ceil(m / t.m) * Math.ceil(n / t.n) * layers;
  const isEven = (t: Tile): boolean => n % 4 === 0 || t.n <= 8;
  const fits = (t: Tile): boolean => m > t.m / 2 && n > t.n / 2 && isEven(t);
  if (gpu.adapter.kind === 'hardware') return { tile: invocations(GPU_TILE) >= LEAST_ON_GPU && fits(GPU_TILE) ? GPU_TILE : SMALL_TILE, pays: null };
  const quad = (t: Tile & { least: number }): boolean => {
    const columns = Math.ceil(Math.ceil(n / t.n) / 4) * 4;
    const rows = Math.ceil(m / t.m);
    return columns * rows * layers >= t.least && columns * t.n * rows * t.m <= 1.35 * n * m && isEven(t);
  };
  const tile = (gpu.adapter.quads ? QUAD_TILES.find(quad) : undefined) ?? LARGE_TILES.find((t) => invocations(t) >= t.least && fits(t));
  return tile ? { tile, pays: tile.pays } : { tile: SMALL_TILE, pays: null };
}

/** The variants of shaders/lib/gemm.wgsl for a tile; `m` is the rows of its block, if fewer. */
export function tileVariant(t: Tile, m = t.m) {
  const loaded = t.quads ? m / 4 : m;
  const sizes = { BLOCK_M: m, BLOCK_N4: t.n / 4, GROUP_X: t.groupX, GROUP_Y: t.groupY, LOADED: loaded, LOADED4: Math.ceil(loaded / 4) };
  // Stated, since this variant may replace that of quads.
  if (!t.quads) return { ...sizes, firstLoaded: 'return 0u;', leaderOf: 'return col;', exchange: 'return;' };
  const parts = Array.from({ length: loaded }, (_, i) => [`let v${i} = (*tile)[${i}];`, ...[0, 1, 2, 3].map((q) => `(*tile)[${q * loaded + i}] = quadBroadcast(v${i}, ${q}u);`)]);
  return {
    ...sizes,
    firstLoaded: 'return (x & 3u) * LOADED;',
    leaderOf: 'return col - col % (4u * BLOCK_N);',
    exchange: parts.flat().join(' '),
  };
}

/** Most workgroups of a dispatch along one dimension. */
const MOST_GROUPS = 65_535;

/** One dispatch of a blocked product, or a part of it. */
export interface Piece {
  grid: number[];
  /** The invocation at which the piece begins. */
  first: number[];
  /** The variants of shaders/lib/gemm.wgsl. */
  tile: ReturnType<typeof tileVariant>;
  /** Its arithmetic operations. */
  flops: number;
  quick: Quick | null;
}

/**
 * Calls `launch` for an (m, n) product in `layers` pieces of `flops` in all, once or, where the limit on workgroups asks for
 * it, for one part after the other. A product without columns is launched if `always`.
 */
export function inPieces({ tile, pays }: Choice, [m, n, layers]: readonly [number, number, number], flops: number, launch: (piece: Piece) => void, always = false): void {
  const blocks = (t: Tile) => [Math.max(Number(always), Math.ceil(n / t.n)), Math.ceil(m / t.m), layers] as const;
  const most = (t: Tile) => [MOST_GROUPS * t.groupX, MOST_GROUPS * t.groupY, MOST_GROUPS] as const;
  const small = blocks(SMALL_TILE);
  const quick = pays !== null && small.every((size, i) => size <= most(SMALL_TILE)[i]!) ? { variant: tileVariant(SMALL_TILE), grid: small, flops: pays } : null;
  const [[x, y, z], limit] = [blocks(tile), most(tile)];
  for (let k = 0; k < z; k += limit[2]) {
    for (let j = 0; j < y; j += limit[1]) {
      for (let i = 0; i < x; i += limit[0]) {
        const grid = [Math.min(limit[0], x - i), Math.min(limit[1], y - j), Math.min(limit[2], z - k)] as [number, number, number];
        launch({ grid, first: [i, j, k], tile: tileVariant(tile), flops: (flops * (grid[0] * grid[1] * grid[2])) / (x * y * z), quick });
      }
    }
  }
}
