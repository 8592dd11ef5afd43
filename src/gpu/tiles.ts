import type { Gpu } from './device.ts';

/** The register block of one invocation of the GEMM core, and its workgroup. */
export interface Tile {
  /** Rows and columns an invocation computes; multiples of four. */
  m: number;
  n: number;
  groupX: number;
  groupY: number;
}

const TILES: readonly Tile[] = [
  { m: 16, n: 16, groupX: 2, groupY: 4 },
  { m: 8, n: 8, groupX: 4, groupY: 4 },
  { m: 4, n: 4, groupX: 8, groupY: 8 },
];

/**
 * Loads cost most on a software adapter, so it takes the largest block that still leaves every core some work (64
 * invocations are eight workgroups of eight). A GPU hides loads behind many invocations and spills large blocks: 8 x 8
 * when that still gives 4,096 invocations, else 4 x 4. Thin matrices take a block no wider than they are.
 */
export function tileFor(gpu: Gpu, m: number, n: number, parts = 1): Tile {
  // Ragged columns are stored one by one; sixteen times sixteen such stores compile for a second.
  const most = n % 4 === 0 ? 0 : 1;
  const least = gpu.adapter.kind === 'software' ? [24, 16, 0] : [Infinity, 4096, 0];
  const invocations = (t: Tile): number => Math.ceil(m / t.m) * Math.ceil(n / t.n) * parts;
  const fits = (t: Tile): boolean => (m > t.m / 2 && n > t.n / 2) || t.m === 4;
  return TILES.find((t, i) => i >= most && invocations(t) >= least[i]! && fits(t))!;
}

/** The variant constants of shaders/lib/gemm.wgsl for a tile. */
export function tileVariant(t: Tile): { BLOCK_M: number; BLOCK_M4: number; BLOCK_N4: number; GROUP_X: number; GROUP_Y: number } {
  return { BLOCK_M: t.m, BLOCK_M4: t.m / 4, BLOCK_N4: t.n / 4, GROUP_X: t.groupX, GROUP_Y: t.groupY };
}
