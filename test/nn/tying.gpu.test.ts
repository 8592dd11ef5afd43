import { describe, expect, test } from 'vitest';
import { BatchNorm, countParameters, Linear, ReLU, Residual, Sequential, Tanh, type Layer } from 'evenkeel/nn';
import { crossEntropyLoss } from 'evenkeel/losses';
import { add, mul, square, sum } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { makeDataset } from 'evenkeel/data';
import { decodeSafetensors } from '../../src/io/index.ts';
import { hostNormal } from '../../src/random/random.ts';
import { key } from '../../src/random/key.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { scope } from '../../src/tensor/scope.ts';
import { backward } from '../../src/tensor/tape.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import '../support/gpu.ts';

const x = new NdArray(hostNormal(6, 3, key(1)), [6, 3]);

function tied() {
  const shared = Linear(3, 3);
  return Sequential(shared, Tanh(), shared, Linear(3, 2));
}
const untied = () => Sequential(Linear(3, 3), Tanh(), Linear(3, 3), Linear(3, 2));

describe('one layer at two places of a model', () => {
  test('is one parameter, saved under both names as PyTorch has it', async () => {
    using model = tied().init({ seed: 1 });
    expect([...model.parameters.keys()]).toEqual(['0.weight', '0.bias', '3.weight', '3.bias']);
    expect([model.parameterCount, countParameters(model)]).toEqual([20, 20]);
    const state = await model.stateDict();
    expect([...state.keys()]).toEqual(['0.weight', '0.bias', '2.weight', '2.bias', '3.weight', '3.bias']);
    expect(state.get('2.weight')).toEqual(state.get('0.weight'));
    const { tensors } = decodeSafetensors(await model.save());
    expect([...tensors.keys()].sort()).toEqual([...state.keys()].sort());
    expect(tensors.get('2.weight')!.data).toEqual(state.get('0.weight')!.data);
  });

  test('its gradient is the sum of those of the untied places', async () => {
    using one = tied().init({ seed: 1 });
    using two = untied()
      .init()
      .loadStateDict(await one.stateDict());
    const loss = (model: ReturnType<typeof tied>) =>
      scope(() => backward(sum(square(model.forward(tensor(x), { training: true })))));
    loss(one);
    loss(two);
    const grad = (model: ReturnType<typeof tied>, name: string) => model.parameters.get(name)!.grad!.read();
    for (const local of ['weight', 'bias']) {
      const [a, b] = [await grad(two, `0.${local}`), await grad(two, `2.${local}`)];
      (await grad(one, `0.${local}`)).forEach((v, i) => expect(v).toBeCloseTo(a[i]! + b[i]!, 4));
    }
  });

  test(
    'training moves what is predicted and what is saved alike; ' + 'the file goes to tied and untied models',
    async () => {
      using model = tied().init({ seed: 2 });
      const before = await model.predict(x);
      const loss = crossEntropyLoss();
      await fit(model, makeDataset(x, [0, 1, 0, 1, 0, 1]), {
        loss,
        optimizer: sgd({ lr: 0.5 }),
        epochs: 3,
        batchSize: 3,
      });
      loss.dispose();
      const after = await model.predict(x);
      expect(after.data).not.toEqual(before.data);
      const bytes = await model.save();
      for (const make of [tied, untied]) {
        using other = make().init({ seed: 9 });
        expect((await other.load(bytes).predict(x)).data).toEqual(after.data);
        expect(await other.stateDict()).toEqual(await model.stateDict());
      }
      // A file that names a tied parameter once, as Python's save_model writes it.
      const once = new Map([...(await model.stateDict())].filter(([name]) => !name.startsWith('2.')));
      using other = tied().init({ seed: 9 });
      expect((await other.loadStateDict(once).predict(x)).data).toEqual(after.data);
      using apart = untied().init({ seed: 3 });
      const state = await apart.stateDict();
      expect(() => other.loadStateDict(state)).toThrow(
        'loadStateDict: 0.weight and 2.weight are one parameter in this model, and differ in what is loaded',
      );
    },
  );

  test('whole blocks, batch norms, and both paths of a residual', async () => {
    const block = Sequential(Linear(3, 3), BatchNorm(3), ReLU());
    using model = Sequential({ first: block, second: Residual(block, block) }).init({ seed: 4 });
    expect([...model.namedBuffers.keys()]).toEqual([
      'first.1.running_mean',
      'first.1.running_var',
      'first.1.num_batches_tracked',
    ]);
    const names = [...(await model.stateDict()).keys()];
    expect(names).toContain('second.0.weight');
    expect(names).toContain('second.shortcut.1.running_mean');
    scope(() => void model.forward(tensor(x), { training: true }));
    // Each place counts as a batch, as in PyTorch.
    expect([...(await model.stateDict()).get('second.1.num_batches_tracked')!.data]).toEqual([3]);
  });
});

describe('one layer in two models', () => {
  test('is refused by name, and free again once the first model is disposed', async () => {
    const shared = Linear(3, 3);
    const first = Sequential(shared, Linear(3, 2)).init({ seed: 1 });
    const before = await first.predict(x);
    using second = Sequential({ body: Sequential(ReLU(), shared) });
    const message =
      'model: body.1.weight is a parameter of another model too (the same Linear layer is in both); make a ' +
      'layer for each model, or dispose the other model first';
    expect(() => second.init()).toThrow(message);
    scope(() => expect(() => second.forward(tensor(x))).toThrow(message));
    expect((await first.predict(x)).data).toEqual(before.data);
    first.dispose();
    expect(() => shared.forward(undefined as never)).toThrow('Linear: weight does not exist yet');
    second.init({ seed: 2 });
    expect((await second.predict(x)).shape).toEqual([6, 3]);
  });

  test('a model inside a model belongs to the outer one, and an initialised one is refused', () => {
    const inner = Sequential(Linear(3, 3));
    using outer = Sequential(inner, Linear(3, 2)).init();
    expect(() => inner.parameters).toThrow('model: 0.weight is a parameter of another model too');
    const body = Sequential(Linear(3, 3)).init();
    expect(() => Sequential(body, Linear(3, 2)).init()).toThrow(
      'model: 0.0.weight is a parameter of another model too',
    );
    body.dispose();
    expect(outer.parameterCount).toBe(20);
  });

  test('layers without parameters go anywhere', async () => {
    const activation: Layer = ReLU();
    using a = Sequential(Linear(3, 2), activation).init();
    using b = Sequential(Linear(3, 2), activation);
    expect((await b.predict(x)).shape).toEqual((await a.predict(x)).shape);
  });
});

test('sums of uses of one parameter outside a model are unchanged', async () => {
  using model = Sequential(Linear(3, 1)).init({ seed: 1 });
  scope(() => {
    const y = model.forward(tensor(x));
    backward(sum(add(y, mul(y, 2))));
  });
  expect([...(await model.parameters.get('0.bias')!.grad!.read())]).toEqual([18]);
});
