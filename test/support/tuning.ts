import { tuningFor, type Tuning } from '../../src/gpu/tuning/index.ts';
import { gpu } from './gpu.ts';

/** Runs `body` with the blocks and paths that the library takes on a kind of adapter, whichever is there. */
export function asTuned(kind: 'hardware' | 'software', body: () => Promise<void>): Promise<void> {
  return withTuning(tuningFor(gpu.adapter, gpu.device.features, kind), body);
}

/** Runs `body` with a tuning. */
export async function withTuning(tuning: Tuning, body: () => Promise<void>): Promise<void> {
  const of = gpu as { tuning: Tuning };
  const own = of.tuning;
  of.tuning = tuning;
  try {
    await body();
  } finally {
    of.tuning = own;
  }
}
