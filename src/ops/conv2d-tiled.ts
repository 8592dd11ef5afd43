import type { Gpu } from '../gpu/device.ts';
import { sizeClass } from '../gpu/tiles.ts';
import type { WorkgroupTile } from '../gpu/tuning/index.ts';

/**
 * Sizes of x (batch, channels, height, width), w (filters, channels / groups, kh, kw) and y (batch, filters, outH,
 * outW), and the steps between them.
 */
export type Geometry = Readonly<
  Record<
    | 'batch'
    | 'channels'
    | 'height'
    | 'width'
    | 'filters'
    | 'outH'
    | 'outW'
    | 'groups'
    | 'kh'
    | 'kw'
    | 'strideH'
    | 'strideW'
    | 'padH'
    | 'padW'
    | 'dilH'
    | 'dilW',
    number
  >
>;

/** Most workgroups of a dispatch along one axis. */
export const WIDEST = 65_535;
/** Most rows of a group without a tile in workgroup memory: none would share what it copies. */
export const THIN = 4;
/** Most rows and columns of a window together, a bit each (shaders/conv2d.wgsl). */
const WINDOW = 30;
/** Parameters that a product without parts and folds leaves at this. */
export const UNSPLIT = { chunk: 0, parts: 1, span: 1, tapH: 1, tapW: 1, hopH: 1, hopW: 1, fold: 0, folds: 1 };

/**
 * Grid, variant and parameters of the products of all groups in workgroup memory, and the tiles besides that may be
 * faster; null where the tuning has no tile or the window is too large. `kind`: of the convolution or gradient.
 */
export function tiledPlan<V extends object>(
  gpu: Gpu,
  g: Geometry,
  kind: string,
  [rows, columns]: readonly [number, number],
  how: V,
  layers = 1,
) {
  const m = rows / g.groups;
  const slices = layers * g.groups;
  const tiles = gpu.tuning.convolutionTiles(m, columns, slices);
  if (tiles.length === 0 || g.kh + g.kw > WINDOW) return null;
  const isThin = m <= THIN;
  const dilated = { ...how, DILATED: Number(g.dilH * g.dilW > 1) };
  const launch = ({ m: ownRows, n: ownColumns, lanesX, lanesY, depth }: WorkgroupTile) => {
    const lanes = isThin ? 64 : lanesX * lanesY;
    const [tileM, tileN] = isThin ? [Math.max(1, m), 64] : [ownRows * lanesY, ownColumns * lanesX];
    const blocks = Math.ceil(columns / tileN);
    const folds = Math.max(1, Math.ceil(blocks / WIDEST));
    const fold = Math.ceil(blocks / folds);
    const sizes = {
      ROWS4: ownRows / 4,
      COLS4: ownColumns / 4,
      LANES_X: lanesX,
      LANES_Y: lanesY,
      DEPTH: depth,
      LOADS_A: (tileM * depth) / lanes,
      LOADS_B: (tileN * depth) / lanes,
    };
    return {
      name: `${tileM}x${tileN} k${depth} by ${lanes}`,
      fold,
      folds,
      grid: [fold * lanes, Math.ceil(m / tileM), slices * folds],
      variant: { ...dilated, ...(isThin ? { THIN_M: tileM } : sizes) },
    };
  };
  const { name, fold, folds, grid, variant } = launch(tiles[0]!);
  // One set of parameters serves all that do not fold: then `fold` is not used.
  const others =
    isThin || folds > 1
      ? []
      : tiles
          .slice(1)
          .map(launch)
          .filter((t) => t.folds === 1);
  const key = `${kind} ${g.kh}x${g.kw}/${g.strideH}x${g.strideW} ${sizeClass(m, columns, slices)}`;
  return {
    isThin,
    grid,
    variant,
    other: others.length > 0 ? { key, name, others } : null,
    params: { ...g, ...UNSPLIT, ...tapsOf(g.strideH, g.dilH, 'H'), ...tapsOf(g.strideW, g.dilW, 'W'), fold, folds },
  };
}

/**
 * Taps of one phase lie stride / g apart, and from one to the next the output position falls by dilation / g; g = gcd.
 */
export function tapsOf<A extends 'H' | 'W'>(
  stride: number,
  dilation: number,
  axis: A,
): Record<`tap${A}` | `hop${A}`, number> {
  let [g, rest] = [stride, dilation];
  while (rest) [g, rest] = [rest, g % rest];
  return { [`tap${axis}`]: stride / g, [`hop${axis}`]: dilation / g } as Record<`tap${A}` | `hop${A}`, number>;
}
