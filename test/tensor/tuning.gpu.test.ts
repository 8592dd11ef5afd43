import { expect, test } from 'vitest';
import { init, tensor, type Tuning } from 'evenkeel';
import { matmul } from 'evenkeel/ops';
import { gpu, keepsMemory } from '../support/gpu.ts';

const [m, k, n] = [65, 70, 33];
const values = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(seed + i * 0.7));

/** The bits of one product on a device of its own. */
async function bitsOf(tuning?: 'hardware' | 'software' | Tuning): Promise<{ bits: number[]; pipelines: string[] }> {
  const own = await init(tuning ? { tuning } : {});
  const a = tensor(values(m * k, 1), { shape: [m, k], gpu: own });
  const b = tensor(values(k * n, 2), { shape: [k, n], gpu: own });
  const y = matmul(a, b);
  const bits = [...new Uint32Array(((await y.read()) as Float32Array).buffer)];
  const pipelines = [...own.pipelines.keys()];
  own.destroy();
  return { bits, pipelines };
}

test('init({ tuning }) changes the kernels, not the bits', async () => {
  keepsMemory();
  const software = await bitsOf('software');
  const hardware = await bitsOf('hardware');
  expect(hardware.pipelines).not.toEqual(software.pipelines);
  expect(hardware.bits).toEqual(software.bits);
  const asked: string[] = [];
  const own: Tuning = {
    ...gpu.tuning,
    name: 'own',
    tilesFor: (rows, columns, layers, traits) => {
      asked.push(`${rows}x${columns}x${layers}`);
      return gpu.tuning.tilesFor(rows, columns, layers, traits);
    },
  };
  expect((await bitsOf(own)).bits).toEqual(software.bits);
  expect(asked).toEqual([`${m}x${n}x1`]);
});

test('a tuning that is none is refused in words', async () => {
  for (const [bad, words] of [
    ['fast', "init: tuning is fast, expected 'hardware', 'software' or a Tuning"],
    [{ name: 'empty' }, "init: tuning is an object without tileFor, expected 'hardware', 'software' or a Tuning"],
    [null, "init: tuning is null, expected 'hardware', 'software' or a Tuning"],
  ] as const)
    await expect(init({ tuning: bad as never })).rejects.toThrow(words);
});
