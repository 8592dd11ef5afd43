import { expect, test } from 'vitest';
import { init, scope, tensor } from 'evenkeel';
import { add, matmul } from 'evenkeel/ops';
import { gpu } from '../support/gpu.ts';

test('tensors of two devices do not meet', async () => {
  const other = await init();
  const [a, b] = [tensor([1], { shape: [1, 1], gpu }), tensor([1], { shape: [1, 1], gpu: other })];
  scope(() => {
    expect(() => add(a, b)).toThrow('binary: b lives on another device than a; make both with the same gpu');
    expect(() => matmul(a, b)).toThrow('matmul: b lives on another device than a; make both with the same gpu');
  });
  a.dispose();
  other.destroy();
});
