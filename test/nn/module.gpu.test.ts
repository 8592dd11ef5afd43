import { describe, expect, test } from 'vitest';
import { capture, DisposedError, requireGrad, tensor, type Tensor } from 'evenkeel';
import {
  BatchNorm,
  Dropout,
  Linear,
  ReLU,
  Residual,
  Sequential,
  type ForwardContext,
  type Layer,
  type Module,
} from 'evenkeel/nn';
import { add, crossEntropy, linear as linearOp, mul } from 'evenkeel/ops';
import { adam, ema, sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { expectSameBits } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { clusters } from '../support/synthetic.ts';

const data = clusters({ n: 128 });
const values = (shape: number[], seed: number): Tensor =>
  tensor(sample(shape, { seed, low: -0.2, high: 0.2 }).data, { shape });

/** A linear layer as a user writes it: fields. */
class OwnLinear {
  weight = requireGrad(values([12, 16], 1));
  bias = requireGrad(values([12], 2));
  note = 'other fields are left alone';
  forward(x: Tensor): Tensor {
    return linearOp(x, this.weight, this.bias);
  }
}
/** The same in a record, or a Map, of parameters. */
const inRecord = () => ({
  parameters: { weight: values([12, 16], 1), bias: values([12], 2) },
  forward(x: Tensor) {
    return linearOp(x, this.parameters.weight, this.parameters.bias);
  },
});
const inMap = () => ({
  parameters: new Map([
    ['weight', values([12, 16], 1)],
    ['bias', values([12], 2)],
  ]),
  forward(x: Tensor) {
    return linearOp(x, this.parameters.get('weight')!, this.parameters.get('bias')!);
  },
});
/** Layers inside, which differ in training. */
class Block {
  fc = Linear(16, 16);
  norm = BatchNorm(16);
  drop = Dropout(0.25);
  scale = requireGrad(tensor(new Float32Array(16).fill(1)));
  forward(x: Tensor, context?: ForwardContext): Tensor {
    const y = this.drop.forward(this.norm.forward(this.fc.forward(x), context), context);
    return add(x, mul(y, this.scale));
  }
}

describe('parameters as fields, in a record and in a Map', () => {
  test.each<[string, () => Module]>([
    ['fields', () => new OwnLinear()],
    ['record', inRecord],
    ['Map', inMap],
  ])('%s: trains, averages, saves and loads with the bits of the layer of the library', async (_, make) => {
    const run = async (first: Module): Promise<Map<string, Float32Array>> => {
      using model = Sequential({ first, act: ReLU(), head: Linear(12, 10) }).init({ seed: 4 });
      using start = Sequential({ first: Linear(16, 12), act: ReLU(), head: Linear(12, 10) }).init({ seed: 4 });
      model.load(await start.save());
      using average = ema({ decay: 0.5 }).for(model);
      const optimizer = adam({ lr: 0.01 });
      await fit(model, data, { loss: crossEntropy, optimizer, weightAverage: average, epochs: 2, batchSize: 50 });
      const averaged = await model.logits(data.x, { weights: average });
      const state = await model.stateDict();
      return new Map([...[...state].map(([n, v]) => [n, v.data] as const), ['averaged', averaged.data]]);
    };
    const [own, built] = [await run(make()), await run(Linear(16, 12))];
    expect([...own.keys()]).toEqual([...built.keys()]);
    for (const [name, got] of own) expectSameBits(got, built.get(name)!, name);
  });
});

test(
  'the fields are the parameters of the model from init on; init puts the starting values back; dispose ' + 'frees',
  async () => {
    const layer = new OwnLinear();
    const initial = layer.weight;
    const start = await initial.read();
    const model = Sequential(layer).init({ seed: 0 });
    expect(layer.weight).toBe(model.parameters.get('0.weight'));
    expect(layer.weight).not.toBe(initial);
    expectSameBits(await layer.weight.read(), start, 'start');
    layer.weight.write(new Float32Array(16 * 12));
    model.init({ seed: 1 });
    expectSameBits(await layer.weight.read(), start, 'start, after init');
    expect(() => Sequential({ other: layer }).init()).toThrow(
      'model: other.weight is a parameter of another model too',
    );
    expect(Sequential(layer, layer).layers[0]).toBe(model.layers[0]);
    model.dispose();
    expect(initial.isDisposed).toBe(true);
    expect(() => layer.weight.storage).toThrow(DisposedError);
  },
);

test('a model that was never initialised frees the tensors of its layers too', () => {
  const layer = new OwnLinear();
  Sequential(layer).dispose();
  expect(layer.weight.isDisposed && layer.bias.isDisposed).toBe(true);
});

test('layers inside: names, running statistics, dropout, both places of a layer that is there twice', async () => {
  const block = new Block();
  using model = Sequential({ a: block, b: Residual(block), head: Linear(16, 10) }).init({ seed: 2 });
  expect([...model.parameters.keys()]).toEqual([
    'a.scale',
    'a.fc.weight',
    'a.fc.bias',
    'a.norm.weight',
    'a.norm.bias',
    'head.weight',
    'head.bias',
  ]);
  expect([...model.namedBuffers.keys()]).toContain('a.norm.running_mean');
  const { loss } = await fit(model, data, { loss: crossEntropy, optimizer: sgd({ lr: 0.05 }), epochs: 20, seed: 3 });
  expect(loss.at(-1)).toBeLessThan(loss[0]! / 2);
  using x = tensor(data.x);
  const [first, second] = [await model.logits(data.x), await model.logits(data.x)];
  expectSameBits(first.data, second.data, 'evaluation draws nothing');
  using step = capture(() => model.forward(x, { training: true }));
  const drawn = await step.value.read();
  expect(await step.run().read()).not.toEqual(drawn);
  using other = Sequential({ a: new Block(), b: ReLU(), head: Linear(16, 10) }).init({ seed: 5 });
  other.load(await model.save(), { strict: false });
  expectSameBits(
    await other.parameters.get('a.fc.weight')!.read(),
    await block.fc.params.weight!.read(),
    'loaded by name',
  );
});

test('the contract of the layers of the library, as docs/your-own.md writes it', async () => {
  const scale = (features: number): Layer => {
    const layer: Layer = {
      kind: 'Scale',
      params: {},
      specs: { weight: { shape: [features], init: () => new Float32Array(features).fill(1) } },
      forward: (x) => mul(x, layer.params.weight!),
    };
    return layer;
  };
  using model = Sequential(scale(16), Linear(16, 10)).init({ seed: 0 });
  expect(model.layers[0]!.kind).toBe('Scale');
  await fit(model, data, { loss: crossEntropy, optimizer: sgd({ lr: 0.1 }), epochs: 1 });
  expect((await model.parameters.get('0.weight')!.read()).every((v) => v !== 1)).toBe(true);
});

test('errors', () => {
  const bad: [unknown, string][] = [
    [{}, 'Sequential: layer 0 is [object Object], expected a layer such as Linear(784, 10), or an object with forward'],
    [{ forward: () => 0, parameters: { w: 3 } }, 'Sequential: layer 0: parameter w is 3, expected an f32 tensor'],
    [{ forward: () => 0, parameters: 3 }, 'Sequential: layer 0: parameters is 3, expected an object or a Map'],
    [{ forward: () => 0, parameters: () => [] }, 'Sequential: layer 0: parameters is () => []'],
  ];
  for (const [layer, message] of bad) expect(() => Sequential(...([layer, ReLU()] as Module[]))).toThrow(message);
  using x = tensor([[1]]);
  const wrong = { forward: () => 3 as unknown as Tensor };
  using model = Sequential(wrong, ReLU());
  expect(() => model.forward(x)).toThrow('Sequential: layer 0: forward gives 3, expected a tensor');
  using late = Sequential(new OwnLinear());
  expect(() => capture(() => late.forward(x))).toThrow(
    'model: init inside a captured step; call model.init({ seed }) before',
  );
  expect(gpu.isCapturing).toBe(false);
});
