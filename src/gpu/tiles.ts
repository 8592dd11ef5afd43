import type { Quick } from './kernel.ts';
import { SMALL_TILE, type Choice, type Tile } from './tuning/tuning.ts';

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
