import { expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor } from 'evenkeel';
import { setError, topKPredictor } from 'evenkeel/sets';
import { noisedTopK } from 'evenkeel/losses';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { adam } from 'evenkeel/optim';
import { hostNormal, key, splitKey } from 'evenkeel/random';
import { fit } from 'evenkeel/train';
import { expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { integers, sample } from '../support/sample.ts';
import { clusters } from '../support/synthetic.ts';
import { close } from '../support/tolerance.ts';

const [ROWS, C] = [6, 5];
const z = sample([ROWS, C], { seed: 3, low: -2, high: 2 });
const labels = integers(ROWS, C, 8);
const root = key(4);
const random = () => ({ key: root, first: tensor([0, 0], { dtype: 'u32' }) });

function reference(
  data: ArrayLike<number>,
  k: number,
  epsilon: number,
  samples: number,
  margin: (y: number) => number,
): number {
  const noise = hostNormal(ROWS, samples * C, splitKey(root, 0), { std: epsilon });
  return labels.reduce((total, y, r) => {
    let smooth = 0;
    for (let s = 0; s < samples; s++)
      smooth +=
        Array.from({ length: C }, (_, c) => data[r * C + c]! + noise[(r * samples + s) * C + c]!).sort((a, b) => b - a)[
          k
        ]! / samples;
    return total + Math.max(0, margin(y) + smooth - data[r * C + y]!) / ROWS;
  }, 0);
}

test.each([
  [1, 1, 5],
  [2, 0.2, 10],
  [4, 1, 1],
  [3, 0, 2],
])('k = %i, epsilon = %f, %i draws: value and gradient by the formula', async (k, epsilon, samples) => {
  for (const margin of [1, [0.5, 1, 1.5, 2, 3]]) {
    const of = (y: number): number => (typeof margin === 'number' ? margin : margin[y]!);
    const loss = noisedTopK({ k, eps: epsilon, numDraws: samples, margin });
    const [value, gradient] = await readAll(() => {
      const leaf = requireGrad(tensor(z.data, { shape: [ROWS, C] }));
      const v = loss.loss(leaf, labels, random());
      backward(v);
      return [v, takeGrad(leaf)];
    });
    loss.dispose();
    expectWithin(
      value!,
      { shape: [], data: Float64Array.of(reference(z.data, k, epsilon, samples, of)) },
      close(1e-5, 1e-5),
      'value',
    );
    const slope = Array.from(z.data, (_, j) => {
      const moved = (h: number): number =>
        reference(
          Array.from(z.data, (v, i) => (i === j ? v + h : v)),
          k,
          epsilon,
          samples,
          of,
        );
      return (moved(1e-6) - moved(-1e-6)) / 2e-6;
    });
    expectWithin(gradient!, { shape: [ROWS, C], data: Float64Array.from(slope) }, close(1e-5, 1e-5), 'gradient');
  }
});

test('no noise: zero when the label leads the (k + 1)-th by the margin', async () => {
  const loss = noisedTopK({ k: 2, eps: 0 });
  const [v] = await readAll(() => [loss.loss(tensor([4, 5, 2.5, 0, 2, 3, 2, 1], { shape: [2, 4] }), [0, 0], random())]);
  // (4 leads 2.5 by 1.5; 2 is level with the third, 2): 0 and 1.
  expect(v![0]).toBeCloseTo(0.5, 6);
  loss.dispose();
});

test('fit draws anew in each step, and learns to keep the label among k', async () => {
  const data = clusters({ n: 400, spread: 2, seed: 1 });
  const run = async (seed: number) => {
    using model = Sequential(Linear(16, 32), ReLU(), Linear(32, 10)).init({ seed: 5 });
    const objective = noisedTopK({ k: 3 });
    const { loss } = await fit(model, data, {
      objective,
      optimizer: adam({ lr: 0.01 }),
      epochs: 12,
      batchSize: 50,
      seed,
    });
    const error = setError(topKPredictor({ k: 3 }).sets(await model.predict(data.x)), data.y);
    objective.dispose();
    return { loss, error };
  };
  const [a, again, other] = [await run(1), await run(1), await run(2)];
  expect(again.loss).toEqual(a.loss);
  expect(other.loss).not.toEqual(a.loss);
  expect(a.error).toBeLessThan(0.05);
});

test('errors', () => {
  expect(() => noisedTopK({ k: 0 })).toThrow('noisedTopK: k is 0, expected a positive integer');
  expect(() => noisedTopK({ k: 1, numDraws: 0 })).toThrow('noisedTopK: numDraws is 0, expected a positive integer');
  expect(() => noisedTopK({ k: 1, eps: -1 })).toThrow('noisedTopK: eps is -1, expected a finite number >= 0');
  expect(() => noisedTopK({ k: 1, margin: [1, NaN] })).toThrow(
    'noisedTopK: margin[1] is NaN, expected a finite number >= 0',
  );
  scope(() => {
    const logits = tensor([1, 2, 3], { shape: [1, 3] });
    expect(() => noisedTopK({ k: 3 }).loss(logits, [0], random())).toThrow(
      'noisedTopK: k is 3, expected an integer below 3, the number of classes',
    );
    expect(() => noisedTopK({ k: 1, margin: [1, 2] }).loss(logits, [0], random())).toThrow(
      'noisedTopK: margin has 2 entries, the logits have 3 classes',
    );
    expect(() => noisedTopK({ k: 1 }).loss(logits, [3], random())).toThrow(/noisedTopK: labels/);
  });
});
