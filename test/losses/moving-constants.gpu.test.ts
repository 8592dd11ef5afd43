import { describe, expect, test } from 'vitest';
import { backward, capture, requireGrad, tensor } from 'evenkeel';
import { alphaLoss, alphaSchedule, crossEntropyLoss, logitClip, scheduledLoss, type Loss } from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { readAll, takeGrad } from '../support/check-op.ts';
import { clusters } from '../support/synthetic.ts';

const z = [2, 1, 0, -1, 0.5, 3, -2, 1];
const labels = [1, 3];

const valueAndGradient = (loss: Loss): Promise<Float32Array[]> =>
  readAll(() => {
    const x = requireGrad(tensor(z, { shape: [2, 4] }));
    const value = loss(x, labels);
    backward(value);
    return [value, takeGrad(x)];
  }).finally(() => loss.dispose());

describe('a captured step follows', () => {
  test.each<[string, () => Loss, (loss: Loss, v: number) => void, (v: number) => Loss, number[]]>([
    [
      'alpha',
      () => alphaLoss({ alpha: 2 }),
      (loss, v) => (loss as ReturnType<typeof alphaLoss>).setAlpha(v),
      (alpha) => alphaLoss({ alpha }),
      [4, 1, 0.5, Infinity],
    ],
    [
      'tau',
      () => logitClip(crossEntropyLoss(), { tau: 1 }),
      (loss, v) => (loss as ReturnType<typeof logitClip>).setTau(v),
      (tau) => logitClip(crossEntropyLoss(), { tau }),
      [2, 0.3, Infinity],
    ],
    [
      'tau of the released code',
      () => logitClip(crossEntropyLoss(), { tau: 1, compat: 'released-code' }),
      (loss, v) => (loss as ReturnType<typeof logitClip>).setTau(v),
      (tau) => logitClip(crossEntropyLoss(), { tau, compat: 'released-code' }),
      [2, 0.3],
    ],
  ])('%s', async (_name, make, set, fresh, settings) => {
    const loss = make();
    const [x, y] = [requireGrad(tensor(z, { shape: [2, 4] })), tensor(labels, { dtype: 'i32' })];
    const step = capture(() => {
      x.grad = null;
      const value = loss(x, y);
      backward(value);
      return [value, takeGrad(x)];
    });
    for (const v of settings) {
      set(loss, v);
      const [value, gradient] = await Promise.all(step.run().map((t) => t.read()));
      const [wantValue, wantGradient] = await valueAndGradient(fresh(v));
      expect(Array.from(value!), `value at ${v}`).toEqual(Array.from(wantValue!));
      expect(Array.from(gradient!), `gradient at ${v}`).toEqual(Array.from(wantGradient!));
    }
    for (const t of [step, x, y, loss]) t.dispose();
  });
});

test('alpha by schedule inside fit: a jump is two runs, one after the other, bit by bit', async () => {
  const data = clusters({ n: 60, classes: 4, features: 6, seed: 1 });
  const weights = async (run: (model: ReturnType<typeof Sequential>) => Promise<unknown>): Promise<number[]> => {
    using model = Sequential(Linear(6, 4)).init({ seed: 2 });
    await run(model);
    return [...(await model.stateDict()).values()].flatMap((p) => Array.from(p.data));
  };
  const rest = { optimizer: sgd({ lr: 0.5 }), batchSize: 20, seed: 3 };
  const scheduled = await weights(async (model) => {
    const loss = alphaLoss();
    const alpha = alphaSchedule({ from: 1, to: 4, start: 1, end: 1 });
    await fit(model, data, { ...rest, objective: scheduledLoss(loss, (at) => loss.setAlpha(alpha(at))), epochs: 3 });
    loss.dispose();
  });
  const parts = await weights(async (model) => {
    for (const [alpha, startEpoch, epochs] of [
      [1, 0, 1],
      [4, 1, 3],
    ] as const) {
      const loss = alphaLoss({ alpha });
      await fit(model, data, { ...rest, loss, startEpoch, epochs });
      loss.dispose();
    }
  });
  expect(scheduled).toEqual(parts);
  const constant = await weights(async (model) => {
    const loss = alphaLoss();
    await fit(model, data, { ...rest, loss, epochs: 3 });
    loss.dispose();
  });
  expect(scheduled).not.toEqual(constant);
});
