import { gpu } from './gpu.ts';
import { tuningFor, type Tuning } from '../../src/gpu/tuning/index.ts';

/** Runs `body` with the blocks and paths that the library takes on a kind of adapter, whichever is there. */
export async function asTuned(kind: 'hardware' | 'software', body: () => Promise<void>): Promise<void> {
  const of = gpu as { tuning: Tuning };
  const own = of.tuning;
  of.tuning = tuningFor(gpu.adapter, gpu.device.features, kind);
  try {
    await body();
  } finally {
    of.tuning = own;
  }
}
