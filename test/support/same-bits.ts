import { expect } from 'vitest';
import type { Tensor } from 'evenkeel';
import type { DType } from '../../src/tensor/dtype.ts';
import { readAll } from './check-op.ts';
import { asTuned } from './tuning.ts';

/** Expects the same bits of what `run` gives, whatever the tuning. */
export async function expectSameBits(run: () => readonly Tensor<DType>[]): Promise<void> {
  const words: number[][][] = [];
  for (const kind of ['software', 'hardware'] as const)
    await asTuned(kind, async () => {
      const results = await readAll(run);
      words.push(results.map(({ buffer, byteOffset, length }) => [...new Uint32Array(buffer, byteOffset, length)]));
    });
  expect(words[1]).toEqual(words[0]);
}
