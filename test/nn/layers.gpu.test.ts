import { describe, expect, test } from 'vitest';
import { backward, capture, NdArray, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { decodeSafetensors, encodeSafetensors } from 'evenkeel/io';
import {
  AdaptiveAvgPool2d,
  BatchNorm,
  Conv2d,
  Dropout,
  ELU,
  Embedding,
  Flatten,
  GELU,
  GroupNorm,
  LayerNorm,
  LeakyReLU,
  Linear,
  PadShortcut,
  ReLU,
  Residual,
  Sequential,
  Sigmoid,
  SiLU,
  Softplus,
  Tanh,
  walkLayers,
  type Layer,
} from 'evenkeel/nn';
import * as ops from 'evenkeel/ops';
import { hostNormal, key } from 'evenkeel/random';
import { build } from '../reference/dense.ts';
import * as reference from '../reference/standardize.ts';
import { expectWithin, readAll, upload } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { close } from '../support/tolerance.ts';

const near = close(1e-4, 1e-5);
const nested = () =>
  Sequential({
    conv1: Conv2d(1, 4, 3, { padding: 1, bias: false }),
    bn1: BatchNorm(4),
    relu: ReLU(),
    layer1: Sequential(
      Residual(Sequential({ conv1: Conv2d(4, 4, 3, { padding: 1 }), bn1: BatchNorm(4) }), null, { activation: 'relu' }),
      Residual(Sequential({ conv1: Conv2d(4, 6, 1), drop: Dropout(0.3) }), Sequential(Conv2d(4, 6, 1))),
    ),
    pool: AdaptiveAvgPool2d(1),
    flatten: Flatten(),
    fc: Linear(6, 3),
  });
const names = [
  'conv1.weight',
  'bn1.weight',
  'bn1.bias',
  'bn1.running_mean',
  'bn1.running_var',
  'bn1.num_batches_tracked',
  'layer1.0.conv1.weight',
  'layer1.0.conv1.bias',
  'layer1.0.bn1.weight',
  'layer1.0.bn1.bias',
  'layer1.0.bn1.running_mean',
  'layer1.0.bn1.running_var',
  'layer1.0.bn1.num_batches_tracked',
  'layer1.1.conv1.weight',
  'layer1.1.conv1.bias',
  'layer1.1.shortcut.0.weight',
  'layer1.1.shortcut.0.bias',
  'fc.weight',
  'fc.bias',
];

describe('nested models', () => {
  test('parameters and buffers carry the names of PyTorch, in its order', async () => {
    using model = nested().init({ seed: 1 });
    const state = await model.stateDict();
    expect([...state.keys()]).toEqual(names);
    expect([...model.namedBuffers.keys()]).toEqual(names.filter((n) => /running|num_/.test(n)));
    expect([...model.parameters.keys()]).toEqual(names.filter((n) => !/running|num_/.test(n)));
    expect(Array.from(state.get('bn1.running_var')!.data)).toEqual([1, 1, 1, 1]);
    expect(state.get('bn1.num_batches_tracked')).toEqual({ shape: [], data: Float32Array.of(0) });
    expect(Array.from(state.get('bn1.weight')!.data)).toEqual([1, 1, 1, 1]);
    expect(model.parameterCount).toBe([...model.parameters.values()].reduce((n, p) => n + p.size, 0));
  });

  test('every layer can be reached, inside out', () => {
    const kinds = [...walkLayers(nested())].map(([prefix, layer]) => `${prefix}${layer.kind}`);
    expect(kinds.slice(0, 7)).toEqual([
      'Sequential',
      'conv1.Conv2d',
      'bn1.BatchNorm',
      'relu.ReLU',
      'layer1.Sequential',
      'layer1.0.Residual',
      'layer1.0.Sequential',
    ]);
    expect(kinds).toContain('layer1.1.shortcut.0.Conv2d');
  });

  test('state goes through a safetensors file bit for bit, counters as I64', async () => {
    using model = nested().init({ seed: 2 });
    const x = tensor(hostNormal(5, 36, key(1)), { shape: [5, 1, 6, 6] });
    for (let k = 0; k < 3; k++) scope(() => void model.forward(x, { training: true }));
    const bytes = await model.save();
    const { tensors } = decodeSafetensors(bytes);
    expect(tensors.get('bn1.num_batches_tracked')).toEqual({ dtype: 'I64', shape: [], data: BigInt64Array.of(3n) });
    using other = nested().init({ seed: 9 });
    other.load(bytes);
    const [a, b] = [await model.stateDict(), await other.stateDict()];
    for (const [name, { data }] of a) expect(b.get(name)!.data, name).toEqual(data);
    const host = new NdArray(await x.read(), [5, 1, 6, 6]);
    expect((await other.logits(host)).data).toEqual((await model.logits(host)).data);
    const wrong = new Map(
      [...tensors].map(([n, t]) => [
        n,
        n.endsWith('tracked') ? { dtype: 'F32' as const, shape: [], data: new Float32Array(1) } : t,
      ]),
    );
    expect(() => other.load(encodeSafetensors(wrong))).toThrow('load: bn1.num_batches_tracked is F32, expected I64');
    x.dispose();
  });

  test('evaluation is a fixed function and moves no statistics; training moves them', async () => {
    using model = nested().init({ seed: 3 });
    const x = new NdArray(hostNormal(8, 36, key(2)), [8, 1, 6, 6]);
    const before = await model.stateDict();
    const [a, b] = [await model.logits(x), await model.logits(x, { batchSize: 3 })];
    b.data.forEach((v, i) => expect(v).toBeCloseTo(a.data[i]!, 5));
    expect(await model.stateDict()).toEqual(before);
    scope(() => void model.forward(tensor(x), { training: true }));
    const after = await model.stateDict();
    for (const name of names) {
      const moved = after.get(name)!.data.join() !== before.get(name)!.data.join();
      expect(moved, name).toBe(/running|num_/.test(name));
    }
  });

  test('init frees and resets everything, dispose too', async () => {
    const model = nested().init({ seed: 4 });
    const { live } = gpu.memory();
    const x = tensor(hostNormal(4, 36, key(3)), { shape: [4, 1, 6, 6] });
    scope(() => void model.forward(x, { training: true }));
    const first = await model.init({ seed: 4 }).stateDict();
    expect(Array.from(first.get('bn1.running_mean')!.data)).toEqual([0, 0, 0, 0]);
    x.dispose();
    await gpu.sync();
    expect(gpu.memory().live).toBe(live);
    model.dispose();
  });

  test('a relu behind a batch norm is fused, inside and out', async () => {
    const net = (activation: Layer): Layer[] => [BatchNorm(3), activation, Sequential(BatchNorm(3)), { ...activation }];
    using fused = Sequential(...net(ReLU())).init();
    using separate = Sequential(...net({ ...ReLU(), kind: 'activation' })).init();
    const x = sample([7, 3]);
    const dispatches: number[] = [];
    const [a, b] = await readAll(() =>
      [fused, separate].map((m) => {
        const before = gpu.counters.dispatches;
        const y = m.forward(upload(x), { training: true });
        gpu.recorder.flush();
        dispatches.push(gpu.counters.dispatches - before);
        return y;
      }),
    );
    expect(a).toEqual(b);
    expect(dispatches).toEqual([6, 8]);
  });

  test('errors name the place', () => {
    using model = nested().init();
    scope(() => {
      const x = tensor(new Float32Array(18), { shape: [1, 2, 3, 3] });
      expect(() => model.forward(x)).toThrow('layer conv1 (Conv2d): conv2d: x has shape [1,2,3,3]');
      const wrong = Sequential({ fit: Residual(Linear(4, 3)) }).init();
      expect(() => wrong.forward(tensor(new Float32Array(8), { shape: [2, 4] }))).toThrow(
        'layer fit (Residual): Residual: the main path gives shape [2,3], the shortcut [2,4]',
      );
      wrong.dispose();
    });
    expect(() =>
      Sequential({ a: Sequential(Linear(1, 1)), '': Sequential({ a: Sequential(Linear(1, 1)) }) }).init(),
    ).toThrow('model: two parameters have the name a.0.weight; give the layers names of their own');
    expect(() => Sequential({ a: 3 as unknown as Layer })).toThrow(
      'Sequential: layer a is 3, expected a layer such as Linear(784, 10)',
    );
    expect(() => Residual(null as unknown as Layer)).toThrow(
      'Residual: main is null, expected a layer such as Linear(784, 10)',
    );
  });
});

describe('batchNorm', () => {
  test('trains by the batch, evaluates by the averages', async () => {
    const layer = BatchNorm(3, { momentum: 0.5, eps: 1e-3 });
    using model = Sequential(layer).init();
    const x = sample([9, 3], { low: 1, high: 4 });
    const sets = reference.byChannel(x.shape);
    const [trained, evaluated] = await readAll(() => [
      model.forward(upload(x), { training: true }),
      model.forward(upload(x)),
    ]);
    const ones = build([3], () => 1);
    expectWithin(
      trained!,
      reference.standardize(
        x,
        ones,
        build([3], () => 0),
        sets,
        { eps: 1e-3 },
      ),
      near,
      'training',
    );
    const m = reference.moments(x, sets);
    const given = {
      mean: build([3], (c) => 0.5 * m[c]!.mean),
      variance: build([3], (c) => 0.5 + 0.5 * m[c]!.variance * (9 / 8)),
    };
    expectWithin(evaluated!, reference.standardize(x, ones, null, sets, { eps: 1e-3, given }), near, 'evaluation');
    expect([...model.parameters.keys()]).toEqual(['0.weight', '0.bias']);
  });

  test('without affine it has no parameters; a batch of one value is refused', () => {
    using model = Sequential(BatchNorm(2, { affine: false }), Linear(2, 2)).init();
    expect([...model.parameters.keys()]).toEqual(['1.weight', '1.bias']);
    const x = tensor([1, 2], { shape: [1, 2] });
    expect(() => model.forward(x, { training: true })).toThrow(
      'layer 0 (BatchNorm): batchNorm: x has shape [1,2], expected more than 1 value per channel when training',
    );
    expect(() => BatchNorm(2, { affine: false }).forward(x)).toThrow(
      'BatchNorm: running_mean does not exist yet; put the layer in Sequential() and call model.init({ seed }), or fit',
    );
    x.dispose();
  });
});

test('layerNorm and groupNorm as layers', async () => {
  using model = Sequential(GroupNorm(2, 4), Flatten(), LayerNorm(12, { affine: false }), LayerNorm([12])).init();
  expect([...model.parameters.keys()]).toEqual(['0.weight', '0.bias', '3.weight', '3.bias']);
  const x = sample([3, 4, 3]);
  const [a, b] = await readAll(() => {
    const t = upload(x);
    return [model.forward(t), ops.layerNorm(ops.layerNorm(ops.reshape(ops.groupNorm(t, 2), [3, 12])))];
  });
  expectWithin(a!, { shape: [3, 12], data: Float64Array.from(b!) }, near, 'values');
});

describe('dropout', () => {
  test(
    'does nothing in evaluation, draws anew in each pass of ' + 'training, and again from the start after init',
    async () => {
      using model = Sequential(Dropout(0.5), Dropout(0.2)).init({ seed: 1 });
      const x = tensor(new Float32Array(200).fill(1), { shape: [4, 50] });
      const pass = async (training = true): Promise<string> =>
        (await readAll(() => [ops.mul(model.forward(x, { training }), 1)]))[0]!.join();
      expect(await pass(false)).toBe(new Array(200).fill(1).join());
      const [a, b] = [await pass(), await pass()];
      expect(a).not.toBe(b);
      // Two layers, two masks: 1 / 0.5 / 0.8 where both let through.
      const values = a.split(',').map(Number);
      expect(new Set(values)).toEqual(new Set([0, 2.5]));
      expect(Math.abs(values.filter((v) => v > 0).length / 200 - 0.4)).toBeLessThan(0.15);
      model.init({ seed: 1 });
      expect([await pass(), await pass()]).toEqual([a, b]);
      model.init({ seed: 2 });
      expect(await pass()).not.toBe(a);
      x.dispose();
    },
  );

  test('a captured pass draws what eager passes draw', async () => {
    const net = () => Sequential(Linear(5, 16), ReLU(), Dropout(0.5), Linear(16, 3)).init({ seed: 1 });
    using eager = net();
    using captured = net();
    const x = tensor(hostNormal(4, 5, key(1)), { shape: [4, 5] });
    const forward = (model: typeof eager): Tensor[] => {
      const y = model.forward(x, { training: true });
      backward(ops.sum(ops.square(y)));
      return [y, model.parameters.get('0.weight')!.grad!.detach()];
    };
    const step = capture(() => forward(captured));
    for (let k = 0; k < 3; k++) {
      if (k) step.run();
      const got = await Promise.all(step.value.map((t) => t.read()));
      expect(got, `pass ${k}`).toEqual(await readAll(() => forward(eager)));
    }
    for (const t of [step, x]) t.dispose();
  });

  test('errors', () => {
    expect(() => Dropout(-0.1)).toThrow('Dropout: p is -0.1, expected a number in 0..1');
    const x = tensor([1]);
    expect(() => Dropout().forward(x, { training: true })).toThrow(
      'Dropout: the context has no random numbers; put the layer in Sequential(), or pass `random`',
    );
    x.dispose();
  });
});

test('embedding starts normal, with the padding row zero', async () => {
  using model = Sequential(Embedding(500, 8, { paddingIdx: 3 })).init({ seed: 1 });
  const { data } = (await model.stateDict()).get('0.weight')!;
  expect(Array.from(data.subarray(24, 32))).toEqual(new Array(8).fill(0));
  expect(Math.abs(data.reduce((s, v) => s + v * v, 0) / 3992 - 1)).toBeLessThan(0.1);
  const [y] = await readAll(() => [model.forward(tensor([3, 4], { dtype: 'i32' }) as unknown as Tensor)]);
  expect(y).toEqual(Float32Array.of(...new Array<number>(8).fill(0), ...data.subarray(32, 40)));
});

test('PadShortcut: every second pixel, zero channels on both sides, and its gradient', async () => {
  const x = sample([2, 3, 5, 4]);
  const layer = PadShortcut(3, 8, 2);
  const [y, dx] = await readAll(() => {
    const t = requireGrad(upload(x));
    const out = layer.forward(t);
    expect(out.shape).toEqual([2, 8, 3, 2]);
    backward(ops.sum(ops.square(out)));
    const g = t.grad!;
    t.grad = null;
    return [out, g];
  });
  const at = (n: number, c: number, r: number, k: number): number => x.data[((n * 3 + c) * 5 + r) * 4 + k]!;
  const want = build([2, 8, 3, 2], (i) => {
    const [n, c, r, k] = [Math.floor(i / 48), Math.floor(i / 6) % 8, Math.floor(i / 2) % 3, i % 2];
    return c >= 2 && c < 5 ? at(n, c - 2, 2 * r, 2 * k) : 0;
  });
  expect(Array.from(y!)).toEqual(Array.from(want.data));
  x.data.forEach((v, i) => expect(dx![i]).toBe((Math.floor(i / 4) % 5) % 2 === 0 && (i % 4) % 2 === 0 ? 2 * v : 0));
  expect(() => PadShortcut(4, 2)).toThrow('PadShortcut: outChannels is 2, expected at least the 4 of the input');
});

test.each([
  [LeakyReLU({ negativeSlope: 0.2 }), (x: Tensor) => ops.leakyRelu(x, { negativeSlope: 0.2 })],
  [ELU({ alpha: 0.5 }), (x: Tensor) => ops.elu(x, { alpha: 0.5 })],
  [GELU({ approximate: 'tanh' }), (x: Tensor) => ops.gelu(x, { approximate: 'tanh' })],
  [SiLU(), ops.silu],
  [Sigmoid(), ops.sigmoid],
  [Tanh(), ops.tanh],
  [Softplus(), ops.softplus],
  [ReLU(), ops.relu],
  [AdaptiveAvgPool2d([2, 1]), (x: Tensor) => ops.adaptiveAvgPool2d(x, [2, 1])],
] as const)('layer %#: what its op gives', async (layer, op) => {
  const x = sample([2, 3, 4, 5]);
  const [a, b] = await readAll(() => [layer.forward(upload(x)), op(upload(x))]);
  expect(a).toEqual(b);
});

test.each([
  [() => BatchNorm(0), 'BatchNorm: features is 0, expected a positive integer'],
  [() => GroupNorm(2, 3), 'GroupNorm: 3 channels do not split into 2 groups'],
  [() => LayerNorm(0), 'LayerNorm: normalizedShape is 0, expected a positive integer'],
  [() => Embedding(3, 0), 'Embedding: features is 0, expected a positive integer'],
  [() => AdaptiveAvgPool2d(0), 'AdaptiveAvgPool2d: outputSize is [0,0], expected integers of at least 1'],
] as const)('bad sizes, case %#', (act, message) => {
  expect(act).toThrow(message);
});
