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

/**
 * A block of a software adapter: the fewest invocations that it is worth, and the arithmetic that pays for its
 * compilation.
 */
type SoftwareTile = Tile & { least: number; pays: number };

const QUAD_TILES: readonly SoftwareTile[] = [
  { m: 16, n: 8, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 28 },
];

/** For long inner operations. */
const LONG_QUAD_TILES: readonly SoftwareTile[] = [
  { m: 16, n: 4, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 28 },
];

/** For convolutions. */
const TALL_QUAD_TILES: readonly SoftwareTile[] = [
  { m: 20, n: 4, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 28 },
];

const LARGE_TILES: readonly SoftwareTile[] = [
  { m: 8, n: 12, groupX: 2, groupY: 4, least: 24, pays: 2 ** 28 },
  { m: 8, n: 8, groupX: 4, groupY: 4, least: 16, pays: 2 ** 28 },
  { m: 16, n: 4, groupX: 2, groupY: 4, least: 24, pays: 2 ** 28 },
];

/** Most of the sums of all blocks over those that are wanted, both counted in fours. */
const WASTE = 1.35;

/** A block for GPUs: it takes at least `LEAST_ON_GPU` invocations to hide loads. */
const GPU_TILE: Tile = { m: 8, n: 8, groupX: 8, groupY: 8 };
const LEAST_ON_GPU = 4096;

/**
 * The smallest block: for long inner operations, whose unrolled code would take seconds to compile and which hide loads
 * anyway.
 */
export const SMALL_TILE: Tile = { m: 4, n: 4, groupX: 8, groupY: 8 };

/**
 * A block, and where it is slow to compile the arithmetic after which it pays: until then the smallest block does the
 * work.
 */
export interface Choice {
  tile: Tile;
  pays: number | null;
}

/**
 * The block of an (m, n) product in `layers` pieces. Loads cost most on a software adapter, so it takes a large block
 * that still leaves every core some work and computes little beyond the edges, in quads where the adapter has them; its
 * rows are shared out evenly. But the code of a block is unrolled. What a processor keeps decoded, some 4,000
 * micro-operations, limits its size: past that it runs at half speed. And it takes a tenth of a second to compile,
 * against a thirtieth for what is not unrolled and half as fast; so it waits until it pays. All give the same bits: an
 * output is one sum in the order of its terms. A GPU hides loads behind many invocations and spills large blocks: 8 x 8
 * when that still gives 4,096 invocations (64 in a workgroup: with fewer, lanes of a wave idle), else 4 x 4.
 *
 * `transposeA`: the left operand is stored (k, m); `quads`: they may be used; `isLong`: the inner operation is more
 * than a product and a sum, or its loads are; `isTall`: each column costs an index of its own.
 */
export function tileFor(
  gpu: Gpu,
  m: number,
  n: number,
  layers = 1,
  { transposeA = false, quads = true, isLong = false, isTall = false } = {},
): Choice {
  const blocks = (size: number, each: number): number => Math.ceil(size / each);
  if (gpu.adapter.kind === 'hardware') {
    const { m: rows, n: columns } = GPU_TILE;
    const isLarge = m > rows / 2 && n > columns / 2 && blocks(m, rows) * blocks(n, columns) * layers >= LEAST_ON_GPU;
    return { tile: isLarge ? GPU_TILE : SMALL_TILE, pays: null };
  }
  const wanted = 16 * blocks(m, 4) * blocks(n, 4);
  const inQuads = isTall ? TALL_QUAD_TILES : isLong ? LONG_QUAD_TILES : QUAD_TILES;
  for (const t of quads && gpu.adapter.quads ? [...inQuads, ...LARGE_TILES] : LARGE_TILES) {
    const down = blocks(m, t.m);
    // Rows stored as columns are loaded by fours, in quads those of each of the four.
    const step = transposeA && t.quads ? 16 : 4;
    const rows = step * blocks(m, step * down);
    const across = t.quads ? 4 * blocks(n, 4 * t.n) : blocks(n, t.n);
    const isWorth = across * down * layers >= t.least && across * t.n * down * rows <= WASTE * wanted;
    if (isWorth) return { tile: { ...t, m: rows }, pays: (t.pays * rows) / t.m };
  }
  return { tile: SMALL_TILE, pays: null };
}

/**
 * The tile with its workgroup no wider or higher than the blocks side by side and below each other: else invocations
 * would idle.
 */
export function shaped(t: Tile, across: number, down: number): Tile {
  let { groupX, groupY } = t;
  if (!t.quads) {
    for (; groupX > 1 && groupX / 2 >= across; groupX /= 2) groupY *= 2;
    for (; groupY > 1 && groupY / 2 >= down; groupY /= 2) groupX *= 2;
  }
  return { ...t, groupX, groupY };
}

/** The variants of shaders/lib/gemm.wgsl for a tile; `m` is the rows of its block, if fewer. */
export function tileVariant(t: Tile, m = t.m) {
  const loaded = t.quads ? m / 4 : m;
  const sizes = {
    BLOCK_M: m,
    BLOCK_N4: t.n / 4,
    GROUP_X: t.groupX,
    GROUP_Y: t.groupY,
    LOADED: loaded,
    LOADED4: Math.ceil(loaded / 4),
  };
  if (!t.quads) return sizes;
  const parts = Array.from({ length: loaded }, (_, i) => [
    `let v${i} = (*tile)[${i}];`,
    ...[0, 1, 2, 3].map((q) => `(*tile)[${q * loaded + i}] = quadBroadcast(v${i}, ${q}u);`),
  ]);
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
export interface Piece<V extends object> {
  grid: number[];
  /** The invocation at which the piece begins. */
  first: number[];
  /** That of the product, and those of shaders/lib/gemm.wgsl. */
  variant: V & ReturnType<typeof tileVariant>;
  /** Its arithmetic operations. */
  flops: number;
  quick: Quick | null;
}

/**
 * Calls `launch` for an (m, n) product in `layers` pieces of `flops` in all, once or, where the limit on workgroups
 * asks for it, for one part after the other. `variant`: of the shader but for its blocks. A product without columns is
 * launched if `always`.
 */
export function inPieces<V extends object>(
  choice: Choice,
  [m, n, layers]: readonly [number, number, number],
  flops: number,
  variant: V,
  launch: (piece: Piece<V>) => void,
  always = false,
): void {
  const blocks = (t: Tile) => [Math.max(Number(always), Math.ceil(n / t.n)), Math.ceil(m / t.m), layers] as const;
  const most = (t: Tile) => [MOST_GROUPS * t.groupX, MOST_GROUPS * t.groupY, MOST_GROUPS] as const;
  const inBlocks = (t: Tile): Piece<V>['variant'] => ({ ...variant, ...tileVariant(t) });
  const tile = shaped(choice.tile, Math.ceil(n / choice.tile.n), Math.ceil(m / choice.tile.m));
  const small = blocks(SMALL_TILE);
  const isOne = small.every((size, i) => size <= most(SMALL_TILE)[i]!);
  const shared = {
    variant: inBlocks(tile),
    quick: choice.pays !== null && isOne ? { variant: inBlocks(SMALL_TILE), grid: small, flops: choice.pays } : null,
  };
  const [[x, y, z], limit] = [blocks(tile), most(tile)];
  for (let k = 0; k < z; k += limit[2]) {
    for (let j = 0; j < y; j += limit[1]) {
      for (let i = 0; i < x; i += limit[0]) {
        const grid = [Math.min(limit[0], x - i), Math.min(limit[1], y - j), Math.min(limit[2], z - k)] as [
          number,
          number,
          number,
        ];
        launch({ grid, first: [i, j, k], flops: (flops * (grid[0] * grid[1] * grid[2])) / (x * y * z), ...shared });
      }
    }
  }
}
