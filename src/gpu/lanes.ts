import type { Gpu } from './device.ts';

/** How rows are shared out to lanes: the variant of a kernel with shaders/lib/lanes.wgsl, and its grid. */
export interface Lanes {
  readonly variant: {
    readonly PARTS: number;
    readonly GROUP: number;
    readonly TAKES: number;
    readonly COLUMNS: number;
  };
  readonly grid: readonly number[];
}

/**
 * `rows` rows of `length` elements. Those of a row are neighbours, or with `inner` > 1 that far apart, and then rows
 * are. The parts of a row, and with them the order of a sum, depend on the shape alone. A short row, or one of many
 * columns, has a single part, which one invocation takes on every adapter: it needs no workgroup.
 */
export function lanesFor(gpu: Gpu, rows: number, length: number, inner = 1): Lanes {
  const columns = inner > 1;
  if (length <= 64 || (columns && rows >= 4096)) return singles(gpu, rows);
  const parts = length <= 2048 ? 8 : 64;
  const lanes = 2 * parts;
  const shared = gpu.tuning.bodies === 'hardware';
  // Sixteen columns side by side are a whole line of memory.
  const group = shared ? Math.min(256, Math.max(64, columns ? 16 * lanes : lanes)) : groupOf(gpu, rows);
  return {
    variant: { PARTS: parts, GROUP: group, TAKES: shared ? 1 : 2, COLUMNS: Number(columns) },
    grid: [shared ? rows * lanes : rows],
  };
}

/** Rows of a single part. */
export function singles(gpu: Gpu, rows: number): Lanes {
  return { variant: { PARTS: 1, GROUP: groupOf(gpu, rows), TAKES: 2, COLUMNS: 0 }, grid: [rows] };
}

/** A workgroup of which an invocation takes a row. A processor does the work of idle ones too, but for their stores. */
function groupOf({ tuning }: Gpu, rows: number): number {
  return tuning.bodies === 'software' && rows <= 16 ? 4 : 64;
}

/** Rows that a processor goes through as a whole, and a GPU, where they are few and long, in pieces. */
export interface PiecedLanes extends Lanes {
  /** Pieces of a row, each a tree of its own, which are joined in their order; by the shape alone. */
  readonly pieces: number;
  /** Elements of a piece. */
  readonly chunk: number;
  /** A workgroup has a piece: what a row needs of all of them is found by kernels before. */
  readonly isApart: boolean;
}

/** Invocations that keep a GPU busy. */
const BUSY = 16_384;

/** {@link lanesFor}, rows cut into pieces where they are too few to keep a GPU busy. */
export function lanesInPieces(gpu: Gpu, rows: number, length: number, inner = 1): PiecedLanes {
  const wanted = Math.min(Math.ceil(BUSY / (rows * 128)), Math.floor(length / 2049));
  const chunk = Math.ceil(length / Math.max(1, wanted));
  const pieces = Math.ceil(length / chunk);
  const lanes = lanesFor(gpu, rows * pieces, chunk, inner);
  const isShared = lanes.variant.TAKES === 1;
  return { ...lanes, grid: isShared ? lanes.grid : [rows], pieces, chunk, isApart: isShared && pieces > 1 };
}
