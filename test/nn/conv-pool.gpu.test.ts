import { expect, test } from 'vitest';
import { NdArray, noGrad, type Tensor } from 'evenkeel';
import { AvgPool2d, Conv2d, MaxPool2d, Sequential } from 'evenkeel/nn';
import * as ops from 'evenkeel/ops';
import { expectSameBits, readAll, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';

test("a convolution in groups has PyTorch's weight and starting values", async () => {
  const layer = Conv2d(6, 9, [3, 2], { groups: 3, padding: 'same', dilation: 2 });
  expect([layer.groups, layer.padding, layer.dilation]).toEqual([3, 'same', [2, 2]]);
  using model = Sequential(layer).init({ seed: 1 });
  const { shape, data } = (await model.stateDict()).get('0.weight')!;
  expect(shape).toEqual([9, 2, 3, 2]);
  const bound = 1 / Math.sqrt(12);
  const largest = data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  expect(largest).toBeLessThanOrEqual(bound);
  expect(largest).toBeGreaterThan(0.9 * bound);
  expect((await model.logits(new NdArray(new Float32Array(2 * 6 * 5 * 4), [2, 6, 5, 4]))).shape).toEqual([2, 9, 5, 4]);
});

test.each([
  [
    'convolution',
    Conv2d(2, 2, 3, { groups: 2, dilation: 2, padding: 2 }),
    (x: Tensor, w: Tensor, b: Tensor) => ops.conv2d(x, w, b, { groups: 2, dilation: 2, padding: 2 }),
  ],
  ['maximum', MaxPool2d(2, { stride: 1, dilation: 3 }), (x: Tensor) => ops.maxPool2d(x, 2, { stride: 1, dilation: 3 })],
  [
    'maximum, ceil mode',
    MaxPool2d(3, { stride: 2, ceilMode: true }),
    (x: Tensor) => ops.maxPool2d(x, 3, { stride: 2, ceilMode: true }),
  ],
  [
    'average',
    AvgPool2d(3, { padding: 1, ceilMode: true, countIncludePad: false }),
    (x: Tensor) => ops.avgPool2d(x, 3, { padding: 1, ceilMode: true, countIncludePad: false }),
  ],
] as const)('options reach the op: %s', async (_, layer, run) => {
  const model = Sequential(layer);
  model.init({ seed: 2 });
  const [got, want] = await readAll(() =>
    noGrad(() => {
      const x = upload(sample([2, 2, 6, 8]));
      return [model.forward(x), run(x, layer.params.weight!, layer.params.bias!)];
    }),
  );
  expectSameBits(got!, want!, 'layer and op');
  model.dispose();
});

test('errors', () => {
  expect(() => Conv2d(4, 6, 3, { groups: 3 })).toThrow('Conv2d: groups is 3, expected a divisor of the 4 inChannels');
  expect(() => Conv2d(6, 4, 3, { groups: 3 })).toThrow('Conv2d: groups is 3, expected a divisor of the 4 outChannels');
  expect(() => Conv2d(4, 4, 3, { dilation: 0 })).toThrow('Conv2d: dilation is [0,0], expected integers of at least 1');
  expect(() => MaxPool2d(2, { dilation: 0 })).toThrow('MaxPool2d: dilation is [0,0], expected integers of at least 1');
});
