import type { Gpu } from './device.ts';

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

const QUAD_TILES: readonly (Tile & { software: [number, number] })[] = [
  { m: 32, n: 16, groupX: 4, groupY: 2, quads: true, software: [32, 2 ** 27] },
  { m: 32, n: 8, groupX: 4, groupY: 2, quads: true, software: [32, 2 ** 22] },
  { m: 16, n: 8, groupX: 4, groupY: 2, quads: true, software: [32, 2 ** 20] },
];

const TILES: readonly (Tile & { /** Fewest invocations, and fewest terms in all, that it is worth on each kind of adapter. */ software: [number, number]; hardware: [number, number] })[] = [
  { m: 16, n: 16, groupX: 2, groupY: 4, software: [24, 2 ** 26], hardware: [Infinity, 0] },
  { m: 8, n: 16, groupX: 2, groupY: 4, software: [24, 2 ** 20], hardware: [Infinity, 0] },
  { m: 8, n: 8, groupX: 4, groupY: 4, software: [16, 2 ** 20], hardware: [4096, 0] },
  { m: 4, n: 4, groupX: 8, groupY: 8, software: [0, 0], hardware: [0, 0] },
];

/**
 * The tile of an (m, n) product with k terms in `parts` pieces. Loads cost most on a software adapter, so it takes a large
 * block that still leaves every core some work, in quads where the adapter has them; but the code of a block is unrolled, and
 * larger ones take longer to compile: a tenth of a second for 16 x 8 in quads, a quarter for 32 x 8, half a second for
 * 32 x 16, which only products of 2^27 terms and more earn back. Quads may waste a third of their columns, no more. A GPU hides
 * loads behind many invocations and spills large blocks: 8 x 8 when that still gives 4,096 invocations, else 4 x 4. Thin
 * matrices take a block no wider than they are. Ragged columns are stored one by one, in unrolled code, so they take a
 * smaller one too.
 */
export function tileFor(gpu: Gpu, m: number, n: number, k: number, parts = 1): Tile {
  const invocations = (t: Tile): number => Math.ceil(m / t.m) * Math.ceil(n / t.n) * parts;
  const fits = (t: Tile): boolean => (m > t.m / 2 && n > t.n / 2 && (n % 4 === 0 || t.n <= 8)) || t.m === 4;
  if (gpu.adapter.quads && gpu.adapter.kind === 'software') {
    const quad = QUAD_TILES.find((t) => {
      const blocks = Math.ceil(Math.ceil(n / t.n) / 4) * 4;
      const rows = Math.ceil(m / t.m);
      return blocks * rows * parts >= t.software[0] && m * n * k >= t.software[1] && blocks * t.n * rows * t.m <= 1.35 * n * m && (n % 4 === 0 || t.n <= 8);
    });
    if (quad) return quad;
  }
  return TILES.find((t) => {
    const [least, work] = t[gpu.adapter.kind];
    return invocations(t) >= least && m * n * k >= work && fits(t);
  })!;
}

/** The smallest block: for long inner operations, whose unrolled code would take seconds to compile and which hide loads anyway. */
export const SMALL_TILE: Tile = TILES.at(-1)!;

/** The variants of shaders/lib/gemm.wgsl for a tile; `m` is the rows of its block, if fewer. */
export function tileVariant(t: Tile, m = t.m) {
  const loaded = t.quads ? m / 4 : m;
  const sizes = { BLOCK_M: m, BLOCK_N4: t.n / 4, GROUP_X: t.groupX, GROUP_Y: t.groupY, LOADED: loaded, LOADED4: Math.ceil(loaded / 4) };
  if (!t.quads) return sizes;
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

/**
 * Calls `launch` with the grid of a blocked product, in as many pieces as the limit on workgroups asks for: nearly always
 * one. `first` is the invocation at which a piece begins, `part` the piece's part of the whole.
 */
export function inPieces(tile: Tile, [x, y, z]: readonly [number, number, number], launch: (grid: number[], first: number[], part: number) => void): void {
  const most = [MOST_GROUPS * tile.groupX, MOST_GROUPS * tile.groupY, MOST_GROUPS] as const;
  for (let k = 0; k < z; k += most[2]) {
    for (let j = 0; j < y; j += most[1]) {
      for (let i = 0; i < x; i += most[0]) {
        const grid = [Math.min(most[0], x - i), Math.min(most[1], y - j), Math.min(most[2], z - k)] as [number, number, number];
        launch(grid, [i, j, k], (grid[0] * grid[1] * grid[2]) / (x * y * z));
      }
    }
  }
}
