import { init, tensor } from 'evenkeel';
import { add } from 'evenkeel/ops';
import { expect, test } from 'vitest';

test('an op runs in the page', async () => {
  const gpu = await init();
  expect(Array.from(await add(tensor([1, 2]), 1).read())).toEqual([2, 3]);
  gpu.destroy();
});
