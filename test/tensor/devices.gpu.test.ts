import { expect, test } from 'vitest';
import { DisposedError, DeviceLostError, init, scope, tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { add, matmul } from 'evenkeel/ops';
import { gpu } from '../support/gpu.ts';

test('tensors of two devices do not meet', async () => {
  const other = await init();
  const [a, b] = [tensor([1], { shape: [1, 1], gpu }), tensor([1], { shape: [1, 1], gpu: other })];
  scope(() => {
    expect(() => add(a, b)).toThrow('add: b lives on another device than a; make both with the same gpu');
    expect(() => matmul(a, b)).toThrow('matmul: b lives on another device than a; make both with the same gpu');
  });
  a.dispose();
  other.destroy();
});

const freed = (what: string): RegExp =>
  new RegExp(
    `^${what}: the device was freed by gpu\\.destroy\\(\\); call init\\(\\) again, and make tensors and models anew$`,
  );

test('after gpu.destroy() every use says so, reads under way too', async () => {
  const other = await init();
  const a = tensor(new Float32Array(1 << 16), { gpu: other });
  const under = a.read();
  other.destroy();
  await expect(under).rejects.toThrow(freed('read'));
  await expect(a.read()).rejects.toThrow(DisposedError);
  await expect(a.read()).rejects.toThrow(freed('read'));
  await expect(other.sync()).rejects.toThrow(freed('sync'));
  expect(() => a.write(new Float32Array(1 << 16))).toThrow(freed('write'));
  expect(() => add(a, a)).toThrow(freed('tensor'));
  expect(() => tensor([1], { gpu: other })).toThrow(freed('tensor'));
  // Freeing goes on working.
  a.dispose();
  other.destroy();
});

test.each(['destroyed', 'lost'])('fit rejects with a sentence when the device is %s meanwhile', async (how) => {
  const other = await init();
  const model = Sequential(Linear(2, 2)).init({ gpu: other });
  const loss = crossEntropyLoss();
  const data = makeDataset(
    new NdArray(
      Float32Array.from({ length: 80 }, (_, i) => i % 7),
      [40, 2],
    ),
    Array.from({ length: 40 }, (_, i) => i % 2),
  );
  const run = fit(model, data, {
    loss,
    optimizer: sgd({ lr: 0.01 }),
    epochs: 50,
    batchSize: 4,
    onStep: ({ step }) => void (step === 20 && (how === 'lost' ? other.device.destroy() : other.destroy())),
  });
  const error = await run.then(
    () => null,
    (e: Error) => e,
  );
  expect(error).toBeInstanceOf(how === 'lost' ? DeviceLostError : DisposedError);
  expect(error!.message).toMatch(
    how === 'lost'
      ? /^the device was lost \(destroyed\): .*; call init\(\) again$/
      : freed('(read|write|captured step)'),
  );
  for (const t of [model, loss]) t.dispose();
  other.destroy();
});
