import { expect, test } from 'vitest';
import { backward, capture, prepare, tensor, type Tensor } from 'evenkeel';
import { certifyBounds } from 'evenkeel/certify';
import { Linear, Sequential } from 'evenkeel/nn';
import { crossEntropy, mul, relu } from 'evenkeel/ops';
import { drw, sgd } from 'evenkeel/optim';
import { evaluate, fit, susceptibility } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';
import '../support/gpu.ts';

const data = clusters({ n: 64 });
const net = () => Sequential(Linear(16, 10));
const optimizer = sgd({ lr: 0.1 });
const own = (logits: Tensor, labels: Tensor<'i32'>): Tensor => mul(crossEntropy(logits, labels), 2);

test('a function as the loss of two runs at once, and of a probe', async () => {
  using a = net();
  using b = net();
  const options = { loss: own, optimizer, epochs: 2 };
  const probe = susceptibility(data, { loss: own });
  const [first, second] = await Promise.all([fit(a, data, { ...options, probe }), fit(b, data, options)]);
  expect(first.loss).toEqual(second.loss);
  expect(first.probe).toHaveLength(2);
});

test('what a function cannot do is refused', async () => {
  using model = net();
  const options = { optimizer, epochs: 1 };
  await expect(fit(model, data, { ...options, loss: own, schedule: drw({ from: 0 }) })).rejects.toThrow(
    'fit: the schedule sets class weights, which this loss does not take, expected a loss such as crossEntropyLoss()',
  );
  const rows = (logits: Tensor): Tensor => relu(logits);
  await expect(fit(model, data, { ...options, loss: rows })).rejects.toThrow(
    'fit: the loss has shape [64,10], expected a scalar',
  );
  await expect(fit(model, data, { ...options, loss: (() => 1) as never })).rejects.toThrow(
    'fit: the loss gives number, expected a scalar tensor',
  );
  await expect(evaluate(model, data, { metrics: { f1: 'macro' as never } })).rejects.toThrow(
    'evaluate: metric f1 is macro, expected a function',
  );
});

test('bounds refuse a layer of your own by its kind', async () => {
  using model = Sequential({ forward: (x: Tensor) => relu(x) }, Linear(16, 10)).init({ seed: 0 });
  await expect(certifyBounds(model, data.x, { eps: 0.1, clip: [-20, 20] })).rejects.toThrow('Module');
});

test('prepare(step) compiles and counts no step', async () => {
  using model = net().init({ seed: 0 });
  using opt = optimizer.for(model);
  using x = tensor(data.x);
  const step = (): void => {
    backward(crossEntropy(model.forward(x), data.y));
    opt.step();
  };
  await prepare(step);
  expect(opt.progress.step).toBe(0);
  using captured = capture(step);
  captured.run();
  expect(opt.progress.step).toBe(2);
});
