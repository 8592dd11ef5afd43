import { module } from '../../shaders/combine-weights.wgsl';
import type { Joinable } from '../gpu/commands.ts';
import { dispatchFor, type Bindable } from '../gpu/kernel.ts';

/** A gradient of convolution weights as the sum of parts: see shaders/combine-weights.wgsl. */
export interface WeightParts {
  /** (parts, rows, columns). */
  partial: Bindable;
  parts: number;
  /** Parts that are added first. */
  span: number;
  rows: number;
  /** Terms, and one for the bias if there is `db`. */
  columns: number;
  dw: Bindable;
  db: Bindable | null;
}

/** The most gradients of a dispatch: what it may bind. */
const MOST = 7;
/** The word of a job that has no workgroup. */
const NEVER = 0xffffffff;

/** What joins the sum of these parts to that of others; null where the two gradients lie apart. */
export function joinableWeights(own: WeightParts, entry: 'plain' | 'byLanes'): Joinable | null {
  const { partial, dw, db } = own;
  if (db && db.storage !== dw.storage) return null;
  const { gpu, storage, byteOffset, byteLength } = partial;
  // The tensors themselves may be freed by then.
  const piece = {
    ...own,
    partial: { gpu, storage, byteOffset, byteLength },
    bias: Number(db !== null),
    dw: dw.byteOffset / 4,
    db: (db?.byteOffset ?? 0) / 4,
  };
  const into = { gpu, storage: dw.storage, byteOffset: 0, byteLength: dw.storage.bytes };
  const each = entry === 'plain' ? 64 : 16;
  return {
    with: into.storage,
    kind: `${module.name}.${entry}`,
    pieces: [piece],
    launch: (pieces) => {
      const jobs = pieces as readonly (typeof piece)[];
      if (jobs.length > MOST) return null;
      const words = new Array<number>(8 * MOST).fill(NEVER);
      let groups = 0;
      jobs.forEach(({ parts, span, rows, columns, bias, dw, db }, j) => {
        [groups, parts, span, rows * columns, columns, bias, dw, db].forEach((v, k) => (words[8 * j + k] = v));
        groups += Math.ceil((rows * columns) / each);
      });
      const at = (j: number): Bindable => (jobs[j] ?? jobs[0]!).partial;
      const buffers = Object.fromEntries([...'0123456'].map((j) => [`x${j}`, at(Number(j))]));
      const lanes = entry === 'plain' ? 64 : 256;
      return dispatchFor(module, entry, { jobs: words }, { ...buffers, y: into }, [groups * lanes]);
    },
  };
}
