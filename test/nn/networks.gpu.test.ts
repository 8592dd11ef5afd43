import { expect, test } from 'vitest';
import { backward, capture, noGrad, requireGrad, tensor, type Tensor } from 'evenkeel';
import { crossEntropy } from 'evenkeel/losses';
import { conv2d, flatten, linear, maxPool2d, relu, sequential, type Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import file from '../golden/networks.json';
import { expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { dense, flat, type GoldenCase } from '../support/golden.ts';
import { planned } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

const residual = 'residual blocks and batch normalisation come later';
const cases = planned({ file, later: { 'resblock-optionA-stride2': residual, 'resblock-identity': residual } });

interface Architecture {
  type: 'mlp' | 'lenet';
  sizes: [number, number, number, number];
  inChannels: number;
  conv1: number;
  conv2: number;
  fc1: number;
  classes: number;
}

/** The model of a case, and our names of its parameters by theirs. */
function build(a: Architecture): { model: Sequential; names: Record<string, string> } {
  if (a.type === 'mlp') {
    const [i, h1, h2, o] = a.sizes;
    return { model: sequential(linear(i, h1), relu(), linear(h1, h2), relu(), linear(h2, o)), names: { fc1: '0', fc2: '2', fc3: '4' } };
  }
  const model = sequential(conv2d(a.inChannels, a.conv1, 3), relu(), maxPool2d(2), conv2d(a.conv1, a.conv2, 3), relu(), maxPool2d(2), flatten(), linear(a.conv2, a.fc1), relu(), linear(a.fc1, a.classes));
  return { model, names: { conv1: '0', conv2: '3', fc1: '7', fc2: '9' } };
}

test('3 of the 5 networks run', () => expect([cases.length, file.length]).toEqual([3, 5]));

test.each(cases)('$name: logits, gradients, and parameters after 5 steps', async (c: GoldenCase) => {
  const { model, names } = build(c.options.architecture as Architecture);
  const { lr, momentum, weight_decay: weightDecay, nesterov } = c.options.optimizer as { lr: number; momentum: number; weight_decay: number; nesterov?: boolean };
  const theirs = Object.keys(c.inputs).filter((n) => /weight|bias/.test(n));
  const ours = (name: string): string => `${names[name.split('.')[0]!]}.${name.split('.')[1]}`;
  model.init().loadStateDict(new Map(theirs.map((n) => [ours(n), dense(c.inputs[n])])));
  const loss = crossEntropy({ reduction: 'mean' });
  const want = (name: string) => ({ shape: [], data: Float64Array.from(flat(c.outputs[name])) });
  const first = dense(c.inputs.x1);
  const input = (): Tensor => tensor(first.data, { shape: first.shape });
  const labels = (k: number): number[] => flat(c.inputs[`target${k}`]);

  const got = await readAll(() => {
    const x = requireGrad(input());
    const logits = model.forward(x);
    const value = loss(logits, labels(1));
    backward(value);
    return [noGrad(() => model.forward(input())), logits, value, takeGrad(x), ...theirs.map((n) => model.parameters.get(ours(n))!.grad!.detach())];
  });
  ['logitsEval', 'logitsTrain', 'loss', 'gradInput', ...theirs.map((n) => `grad:${n}`)].forEach((n, i) => expectWithin(got[i]!, want(n), close(1e-4, 1e-6), n));

  const optimizer = sgd({ lr, momentum, weightDecay, nesterov }).attach(model.arena);
  const x = input();
  const y = tensor(labels(1), { dtype: 'i32' });
  optimizer.prepare(1, lr);
  const step = capture(() => {
    const value = loss(model.forward(x), y);
    backward(value);
    optimizer.update();
    return value;
  });
  const losses = [await step.value.item()];
  for (let k = 2; k <= 5; k++) {
    x.write(dense(c.inputs[`x${k}`]).data);
    y.write(labels(k));
    optimizer.prepare(k, lr);
    losses.push(await step.run().item());
  }
  expectWithin(losses, want('losses'), close(1e-4, 1e-6), 'losses');
  const state = await model.stateDict();
  for (const n of theirs) expectWithin(state.get(ours(n))!.data, want(`after:${n}`), close(1e-4, 1e-6), `after:${n}`);
  for (const t of [step, optimizer, loss, x, y, model]) t.dispose();
});
