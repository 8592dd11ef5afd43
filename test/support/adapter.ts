import { gpu } from './gpu.ts';

/** Runs `body` with the block sizes and paths that the library takes on a kind of adapter, whichever is there. */
export async function asAdapter(kind: 'hardware' | 'software', body: () => Promise<void>): Promise<void> {
  const { adapter } = gpu;
  const own = adapter.kind;
  adapter.kind = kind;
  try {
    await body();
  } finally {
    adapter.kind = own;
  }
}
