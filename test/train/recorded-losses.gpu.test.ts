import { expect, test } from 'vitest';
import { fit } from 'evenkeel/train';
import { gpu } from '../support/gpu.ts';
import { SETTINGS } from '../support/training-settings.ts';
import recorded from './recorded-losses.json';

/** The bits of the losses of all steps, 8 hexadecimal digits each. */
async function lossesOf(name: string): Promise<string> {
  const { model, data, options, dispose } = SETTINGS[name]!();
  const losses: number[] = [];
  try {
    await fit(model, data, { ...options, onStep: ({ loss }) => void losses.push(loss) });
  } finally {
    dispose();
  }
  return hexOf(losses);
}

/** Losses of accumulated batches are sums in f64; their f32 stands for them. */
function hexOf(values: readonly number[]): string {
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  return Array.from(bits, (b) => b.toString(16).padStart(8, '0')).join('');
}

/** What this run found, by setting. */
const found: Record<string, string> = {};

test.each(Object.keys(SETTINGS))('the losses of %s are those on record, bit for bit', async (name) => {
  found[name] = await lossesOf(name);
  if (gpu.adapter.kind === 'software') expect(found[name]).toBe((recorded as Record<string, string>)[name]);
});

// Settings and records are the same list; `npm test -- test/train/recorded-losses -u` records them anew.
test('no record is missing, and none is of a setting that is gone', async () => {
  if (gpu.adapter.kind === 'software')
    await expect(`${JSON.stringify(found, null, 2)}\n`).toMatchFileSnapshot('./recorded-losses.json');
});
