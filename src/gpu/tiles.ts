import type { Alternatives, Quick } from './kernel.ts';
import { SMALL_TILE, type Choice, type Tile } from './tuning/tuning.ts';

/**
 * The tile with its workgroup no wider or higher than the blocks side by side and below each other: else invocations
 * would idle.
 */
export function shaped(t: Tile, across: number, down: number): Tile {
  let { groupX, groupY } = t;
  if (!t.quads && !t.depth) {
    for (; groupX > 1 && groupX / 2 >= across; groupX /= 2) groupY *= 2;
    for (; groupY > 1 && groupY / 2 >= down; groupY /= 2) groupX *= 2;
  }
  return { ...t, groupX, groupY };
}

/** Invocations of a workgroup that shares a tile: with fewer than 64, lanes of a wave idle. */
function lanesOf({ groupX, groupY }: Tile): number {
  return Math.max(64, groupX * groupY);
}

/**
 * The variants of shaders/lib/gemm.wgsl, or of shaders/lib/tile.wgsl too, for a tile. `m` is the rows of its block, if
 * fewer, and `planes` the left operands.
 */
export function tileVariant(t: Tile, m = t.m, planes = 1) {
  const loaded = t.quads ? m / 4 : m;
  const block = { BLOCK_M: m, BLOCK_M4: Math.ceil(m / 4), BLOCK_N4: t.n / 4 };
  if (t.depth) {
    const lanes = lanesOf(t);
    return {
      ...block,
      LANES_X: t.groupX,
      LANES_Y: t.groupY,
      LANES: lanes,
      TILE_QUADS: t.depth,
      LOADS_A: Math.ceil((m * planes * t.groupY * t.depth) / lanes),
      LOADS_B: Math.ceil((t.n * t.groupX * t.depth) / lanes),
      ...(planes > 1 ? { PLANES: planes } : {}),
    };
  }
  const sizes = {
    ...block,
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
  /** It is for the entry that shares tiles by workgroups. */
  isTiled: boolean;
  grid: number[];
  /** The block, or tile of a workgroup, at which the piece begins. */
  first: number[];
  /** That of the product, and those of shaders/lib/gemm.wgsl. */
  variant: V & ReturnType<typeof tileVariant>;
  /** Its arithmetic operations. */
  flops: number;
  /** What else gives the same result. */
  other: Quick | Alternatives | null;
}

/** What a tile is called where one of several is chosen: its outputs, terms per step and invocations. */
function nameOf(t: Tile): string {
  return `${t.m * t.groupY}x${t.n * t.groupX} k${4 * (t.depth ?? 0)} by ${lanesOf(t)}`;
}

/** Sizes that are alike for the choice of a kernel: those between the same powers of two. */
export function sizeClass(...sizes: readonly number[]): string {
  return sizes.map((size) => 2 ** Math.ceil(Math.log2(Math.max(1, size)))).join('x');
}

/**
 * Calls `launch` for an (m, n) product in `layers` pieces of `flops` in all, once or, where the limit on workgroups
 * asks for it, for one part after the other. `choices`: blocks, the default first; those after it are tried on the
 * device where they are tiles that need no more pieces. `variant`: of the shader but for its blocks. A product without
 * columns is launched if `always`. `planes`: left operands of a tile. `kind`: of the work, for the choice.
 */
export function inPieces<V extends object>(
  choices: readonly Choice[],
  [m, n, layers]: readonly [number, number, number],
  flops: number,
  variant: V,
  launch: (piece: Piece<V>) => void,
  { kind, always = false, planes = 1 }: { kind: string; always?: boolean; planes?: number },
): void {
  const choice = choices[0]!;
  const over = (size: number, each: number): number => Math.ceil(size / each);
  const blocks = (t: Tile) => [Math.max(Number(always), over(n, t.n)), over(m, t.m), layers] as const;
  const most = (t: Tile) => [MOST_GROUPS * t.groupX, MOST_GROUPS * t.groupY, MOST_GROUPS] as const;
  const inBlocks = (t: Tile): Piece<V>['variant'] => ({ ...variant, ...tileVariant(t, t.m, planes) });
  const tile = shaped(choice.tile, over(n, choice.tile.n), over(m, choice.tile.m));
  const small = blocks(SMALL_TILE);
  const isOne = small.every((size, i) => size <= most(SMALL_TILE)[i]!);
  const quick =
    choice.pays !== null && isOne ? { variant: inBlocks(SMALL_TILE), grid: small, flops: choice.pays } : null;
  // What a place of the grid is: a block of an invocation, or the tile of a workgroup of so many.
  const wholeOf = (t: Tile): Tile => ({ ...t, m: t.m * t.groupY, n: t.n * t.groupX, groupX: 1, groupY: 1 });
  const whole = wholeOf(tile);
  const lanes = tile.depth ? lanesOf(tile) : 1;
  const fits = (t: Tile): boolean => blocks(wholeOf(t)).every((size) => size <= MOST_GROUPS);
  const others = choices
    .slice(1)
    .filter(({ tile: t }) => tile.depth && t.depth && fits(tile) && fits(t))
    .map(({ tile: t }) => {
      const [x, y, z] = blocks(wholeOf(t));
      return { name: nameOf(t), variant: inBlocks(t), grid: [x * lanesOf(t), y, z] };
    });
  const alternatives =
    others.length > 0 ? { key: `${kind} ${sizeClass(m, n, layers)}`, name: nameOf(tile), others } : null;
  const shared = { isTiled: Boolean(tile.depth), variant: inBlocks(tile), other: quick ?? alternatives };
  const [[x, y, z], limit] = tile.depth ? [blocks(whole), most(whole)] : [blocks(tile), most(tile)];
  for (let k = 0; k < z; k += limit[2]) {
    for (let j = 0; j < y; j += limit[1]) {
      for (let i = 0; i < x; i += limit[0]) {
        const [across, down, deep] = [Math.min(limit[0], x - i), Math.min(limit[1], y - j), Math.min(limit[2], z - k)];
        launch({
          grid: [across * lanes, down, deep],
          first: [i, j, k],
          flops: (flops * (across * down * deep)) / (x * y * z),
          ...shared,
        });
      }
    }
  }
}
