import { expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor } from 'evenkeel';
import { BatchNorm, frozen, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { sum } from 'evenkeel/ops';
import { ema } from 'evenkeel/optim';
import { gpu } from '../support/gpu.ts';

test('parameters of a frozen model are constants: the input has the gradient of the model, they have none', async () => {
  using model = Sequential(Linear(3, 4), BatchNorm(4), ReLU(), Linear(4, 2)).init({ seed: 1, gpu });
  const values = [0.5, -1, 2, 0.25, 1, -0.5];
  const gradient = (of: Pick<typeof model, 'forward'>) =>
    scope(() => {
      const x = requireGrad(tensor(values, { shape: [2, 3] }));
      const y = of.forward(x);
      backward(sum(y));
      return { dx: x.grad!.read(), y: y.read() };
    });
  const own = gradient(model);
  expect([...model.parameters.values()].every((p) => p.grad)).toBe(true);
  for (const p of model.parameters.values()) p.grad = null;
  const constant = gradient(frozen(model));
  expect([...model.parameters.values()].every((p) => !p.grad)).toBe(true);
  expect(await constant.dx).toEqual(await own.dx);
  expect(await constant.y).toEqual(await own.y);
});

test('it follows the weights of the model, and takes those of a pass', async () => {
  using model = Sequential(Linear(2, 1, { bias: false })).init({ seed: 1, gpu });
  const view = frozen(model);
  using average = ema().for(model);
  average.step();
  const at = async (context?: Parameters<typeof view.forward>[1]): Promise<number> =>
    Number((await scope(() => ({ y: view.forward(tensor([[1, 1]]), context).read() })).y)[0]);
  const before = await at();
  model.parameters.get('0.weight')!.write([3, 4]);
  expect(await at()).toBe(7);
  expect(await at({ weights: average })).toBe(before);
});
