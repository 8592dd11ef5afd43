import { expect, test } from 'vitest';
import { classBalancedSampler, instanceSampler, type Sampler } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';

const data = clusters({ n: 300, seed: 1 });

async function losses(sampler?: Sampler): Promise<number[]> {
  const model = Sequential(Linear(16, 10));
  const loss = crossEntropyLoss();
  const seen: number[] = [];
  try {
    await fit(model, data, {
      loss,
      optimizer: sgd({ lr: 0.1 }),
      epochs: 2,
      onStep: (r) => void seen.push(r.loss),
      ...(sampler && { sampler }),
    });
  } finally {
    model.dispose();
    loss.dispose();
  }
  return seen;
}

test('fit visits the samples in the order of the sampler', async () => {
  const plain = await losses();
  expect(await losses(instanceSampler())).toEqual(plain);
  expect(await losses(classBalancedSampler())).not.toEqual(plain);
  // The same sample all the time: the loss falls at every step.
  const single = await losses((d) => new Uint32Array(d.y.length).fill(5));
  single.slice(1).forEach((value, i) => expect(value).toBeLessThan(single[i]!));
});

test('a sampler that gives too few indices is named before the step', async () => {
  await expect(losses(() => Uint32Array.of(1))).rejects.toThrow(
    'fit: the sampler gave 1 indices, expected 300, as many as there are samples',
  );
});
