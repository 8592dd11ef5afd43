import { expect, test } from 'vitest';
import { backward, capture, requireGrad, tensor, type Tensor } from 'evenkeel';
import { crossEntropyLoss } from 'evenkeel/losses';
import {
  AdaptiveAvgPool2d,
  BasicBlock,
  BatchNorm,
  Conv2d,
  Flatten,
  Linear,
  MaxPool2d,
  mlp,
  ReLU,
  Sequential,
} from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import file from '../golden/networks.json';
import { expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { dense, flat, type GoldenCase } from '../support/golden.ts';
import { planned } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

const cases = planned({ file, later: {} });

type Architecture =
  | { type: 'mlp'; sizes: number[] }
  | { type: 'lenet'; inChannels: number; conv1: number; conv2: number; fc1: number; classes: number }
  | { type: 'resblock'; inChannels: number; width: number; outWidth: number; stride: number; classes: number };

/** The model of a case, under its parameter names. */
function build(a: Architecture): Sequential {
  if (a.type === 'mlp') return mlp(...a.sizes);
  if (a.type === 'lenet') {
    return Sequential({
      conv1: Conv2d(a.inChannels, a.conv1, 3),
      relu1: ReLU(),
      pool1: MaxPool2d(2),
      conv2: Conv2d(a.conv1, a.conv2, 3),
      relu2: ReLU(),
      pool2: MaxPool2d(2),
      flatten: Flatten(),
      fc1: Linear(a.conv2, a.fc1),
      relu3: ReLU(),
      fc2: Linear(a.fc1, a.classes),
    });
  }
  return Sequential({
    conv0: Conv2d(a.inChannels, a.width, 3, { padding: 1, bias: false }),
    bn0: BatchNorm(a.width),
    relu: ReLU(),
    block: BasicBlock(a.width, a.outWidth, a.stride),
    pool: AdaptiveAvgPool2d(1),
    flatten: Flatten(),
    fc: Linear(a.outWidth, a.classes),
  });
}

test('all 5 networks run', () => expect([cases.length, file.length]).toEqual([5, 5]));

test.each(cases)('$name: logits, gradients, and parameters after 5 steps', async (c: GoldenCase) => {
  const model = build(c.options.architecture as Architecture);
  const {
    lr,
    momentum,
    weight_decay: weightDecay,
    nesterov,
  } = c.options.optimizer as { lr: number; momentum: number; weight_decay: number; nesterov?: boolean };
  const saved = Object.keys(c.inputs).filter((n) => /weight|bias|running/.test(n));
  const trained = saved.filter((n) => !n.includes('running'));
  const start = new Map(saved.map((n) => [n, dense(c.inputs[n])]));
  for (const n of model.namedBuffers.keys())
    if (n.endsWith('num_batches_tracked')) start.set(n, { shape: [], data: [0] });
  model.init().loadStateDict(start);
  const loss = crossEntropyLoss({ reduction: 'mean' });
  const want = (name: string) => ({ shape: [], data: Float64Array.from(flat(c.outputs[name])) });
  const first = dense(c.inputs.x1);
  const input = (): Tensor => tensor(first.data, { shape: first.shape });
  const labels = (k: number): number[] => flat(c.inputs[`target${k}`]);

  const got = await readAll(() => {
    const x = requireGrad(input());
    const evaluated = model.forward(input()).detach();
    const logits = model.forward(x, { training: true });
    const value = loss(logits, labels(1));
    backward(value);
    return [evaluated, logits, value, takeGrad(x), ...trained.map((n) => model.parameters.get(n)!.grad!.detach())];
  });
  ['logitsEval', 'logitsTrain', 'loss', 'gradInput', ...trained.map((n) => `grad:${n}`)].forEach((n, i) =>
    expectWithin(got[i]!, want(n), close(1e-4, 1e-6), n),
  );

  // The steps start from the same state: running statistics have moved.
  model.loadStateDict(start);
  const optimizer = sgd({ lr, momentum, weightDecay, nesterov }).for(model);
  const x = input();
  const y = tensor(labels(1), { dtype: 'i32' });
  const step = capture(() => {
    const value = loss(model.forward(x, { training: true }), y);
    backward(value);
    optimizer.step();
    return value;
  });
  const losses = [await step.value.item()];
  for (let k = 2; k <= 5; k++) {
    x.write(dense(c.inputs[`x${k}`]).data);
    y.write(labels(k));
    losses.push(await step.run().item());
  }
  expectWithin(losses, want('losses'), close(1e-4, 1e-6), 'losses');
  const state = await model.stateDict();
  for (const n of saved) expectWithin(state.get(n)!.data, want(`after:${n}`), close(1e-4, 1e-6), `after:${n}`);
  for (const t of [step, optimizer, loss, x, y, model]) t.dispose();
});
