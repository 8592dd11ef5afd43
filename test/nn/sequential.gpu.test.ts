import { describe, expect, test } from 'vitest';
import { NdArray, tensor } from 'evenkeel';
import { decodeSafetensors, FormatError } from 'evenkeel/io';
import { AvgPool2d, Conv2d, CosineLinear, Flatten, Linear, MaxPool2d, ReLU, Sequential } from 'evenkeel/nn';
import { hostNormal, key } from 'evenkeel/random';
import { gpu } from '../support/gpu.ts';

const cnn = () =>
  Sequential(
    Conv2d(1, 4, 3, { stride: 2, padding: 1 }),
    ReLU(),
    MaxPool2d(2),
    Conv2d(4, 8, 3),
    ReLU(),
    Flatten(),
    Linear(8 * 5 * 5, 16),
    ReLU(),
    CosineLinear(16, 3),
  );
const images = new NdArray(hostNormal(7, 784, key(1)), [7, 1, 28, 28]);

test('parameters carry the names and shapes of PyTorch', async () => {
  const model = cnn().init({ seed: 3 });
  const state = await model.stateDict();
  expect([...state].map(([name, { shape }]) => [name, shape])).toEqual([
    ['0.weight', [4, 1, 3, 3]],
    ['0.bias', [4]],
    ['3.weight', [8, 4, 3, 3]],
    ['3.bias', [8]],
    ['6.weight', [16, 200]],
    ['6.bias', [16]],
    ['8.weight', [3, 16]],
  ]);
  expect(model.parameterCount).toBe(36 + 4 + 288 + 8 + 3200 + 16 + 48);
  // PyTorch's default: uniform in +-1 / sqrt(fan in).
  const { data } = state.get('6.weight')!;
  const bound = 1 / Math.sqrt(200);
  expect(data.every((v) => Math.abs(v) <= bound)).toBe(true);
  expect(data.reduce((s, v) => s + v * v, 0) / data.length / ((bound * bound) / 3)).toBeGreaterThan(0.95);
  const head = state.get('8.weight')!.data;
  for (let row = 0; row < 3; row++) expect(Math.hypot(...head.subarray(row * 16, row * 16 + 16))).toBeCloseTo(1, 6);
  model.dispose();
});

test('the same seed draws the same parameters, another seed others', async () => {
  const [a, b, c] = await Promise.all(
    [1, 1, 2].map(async (seed) => {
      using model = cnn().init({ seed });
      return (await model.stateDict()).get('3.weight')!.data;
    }),
  );
  expect(b).toEqual(a);
  expect(c).not.toEqual(a);
});

test('predict does not depend on the batch size, and rows are probabilities', async () => {
  using model = cnn().init({ seed: 0 });
  const whole = await model.predict(images);
  expect(whole.shape).toEqual([7, 3]);
  for (let i = 0; i < 7; i++) expect(whole.at(i).data.reduce((s, v) => s + v, 0)).toBeCloseTo(1, 5);
  const parts = await model.predict(images, { batchSize: 3 });
  parts.data.forEach((v, i) => expect(v).toBeCloseTo(whole.data[i]!, 6));
  const none = await model.predict(new NdArray(new Float32Array(0), [0, 1, 28, 28]));
  expect(none.shape[0]).toBe(0);
});

test('a fused relu gives what a separate one gives', async () => {
  using fused = Sequential(Linear(784, 10), ReLU(), Linear(10, 3)).init({ seed: 4 });
  const plain = { ...ReLU(), kind: 'activation' };
  using separate = Sequential(Linear(784, 10), plain, Linear(10, 3)).init({ seed: 4 });
  const x = new NdArray(images.data, [7, 784]);
  const [a, b] = [await fused.logits(x), await separate.logits(x)];
  expect(a.data).toEqual(b.data);
});

test('safetensors round trip, bit for bit', async () => {
  using model = cnn().init({ seed: 5 });
  const bytes = await model.save({ note: 'round trip' });
  expect(decodeSafetensors(bytes).metadata.get('note')).toBe('round trip');
  using other = cnn().init({ seed: 6 });
  other.load(bytes);
  const [a, b] = [await model.stateDict(), await other.stateDict()];
  for (const [name, { data }] of a) expect(b.get(name)!.data, name).toEqual(data);
});

test('average pooling as a layer', async () => {
  using model = Sequential(AvgPool2d(28), Flatten(), Linear(1, 2)).init();
  expect((await model.logits(images)).shape).toEqual([7, 2]);
});

describe('bad input', () => {
  test('a state that does not fit changes nothing', async () => {
    using model = cnn().init({ seed: 1 });
    const before = await model.stateDict();
    const partial = new Map([...before].slice(1));
    expect(() => model.loadStateDict(partial)).toThrow(
      new FormatError('loadStateDict: missing [0.weight], not of this model []'),
    );
    const wrong = new Map(before).set('0.bias', { shape: [5], data: new Float32Array(5) });
    expect(() => model.loadStateDict(wrong)).toThrow('loadStateDict: 0.bias has shape [5], the model has [4]');
    expect(() => model.load(new Uint8Array(4))).toThrow(FormatError);
    expect((await model.stateDict()).get('0.bias')).toEqual(before.get('0.bias'));
  });

  test('layers that do not fit are named', async () => {
    using model = Sequential(Flatten(), Linear(700, 10)).init();
    await expect(model.predict(images)).rejects.toThrow(
      'layer 1 (Linear): linear: x has shape [7,784], weight [10,700] takes 700 features; give the layer 784 inputs',
    );
  });

  test.each([
    [() => Linear(0, 3), 'Linear: inFeatures is 0, expected a positive integer'],
    [() => Conv2d(1, 2, 0), 'Conv2d: kernelSize is [0,0], expected integers of at least 1'],
    [
      () => Sequential(undefined as never),
      'Sequential: layer 0 is undefined, expected a layer such as Linear(784, 10)',
    ],
    [() => CosineLinear(3, 2, { scale: 0 }), 'CosineLinear: scale is 0, expected a finite number > 0'],
  ])('case %#', (act, message) => {
    expect(act).toThrow(message);
  });

  test('a layer outside a model, a model after dispose', () => {
    const layer = Linear(2, 2);
    const x = tensor([1, 2], { shape: [1, 2], gpu });
    expect(() => Linear(2, 2).forward(x)).toThrow(
      'Linear: weight does not exist yet; put the layer in Sequential() and call model.init({ seed }), or fit',
    );
    const model = Sequential(layer).init();
    model.dispose();
    model.dispose();
    expect(() => model.forward(x)).toThrow('model: used after dispose');
    x.dispose();
  });
});
