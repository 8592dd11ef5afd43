import kernel from '../../shaders/conv2d-tiled.wgsl';
import type { Gpu } from '../gpu/device.ts';

/** The kernels that {@link tiledPlan} is for. */
export { kernel as tiled };

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
/** Most rows and columns of a window together, a bit each (shaders/conv2d-tiled.wgsl). */
const WINDOW = 30;
/** Parameters that a product without parts and folds leaves at this. */
export const UNSPLIT = { chunk: 0, parts: 1, span: 1, tapH: 1, tapW: 1, hopH: 1, hopW: 1, fold: 0, folds: 1 };

/**
 * Grid, variant and parameters of the products of all groups in workgroup memory, null where the
 * tuning has no tile or the window is too large.
 */
export function tiledPlan<V extends object>(gpu: Gpu, g: Geometry, rows: number, columns: number, how: V, layers = 1) {
  const m = rows / g.groups;
  const slices = layers * g.groups;
  const [tile] = gpu.tuning.convolutionTiles(m, columns, slices);
  if (!tile || g.kh + g.kw > WINDOW) return null;
  const isThin = m <= THIN;
  const { lanesX, lanesY, depth } = tile;
  const lanes = isThin ? 64 : lanesX * lanesY;
  const [tileM, tileN] = isThin ? [Math.max(1, m), 64] : [tile.m * lanesY, tile.n * lanesX];
  const blocks = Math.ceil(columns / tileN);
  const folds = Math.max(1, Math.ceil(blocks / WIDEST));
  const fold = Math.ceil(blocks / folds);
  const sizes = {
    ROWS4: tile.m / 4,
    COLS4: tile.n / 4,
    LANES_X: lanesX,
    LANES_Y: lanesY,
    DEPTH: depth,
    LOADS_A: (tileM * depth) / lanes,
    LOADS_B: (tileN * depth) / lanes,
  };
  return {
    isThin,
    grid: [fold * lanes, Math.ceil(m / tileM), slices * folds],
    variant: { ...how, DILATED: Number(g.dilH * g.dilW > 1), ...(isThin ? { THIN_M: tileM } : sizes) },
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
