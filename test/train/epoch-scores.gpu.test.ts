import { expect, test } from 'vitest';
import { crossEntropyLoss } from 'evenkeel/losses';
import { accuracy, balancedAccuracy } from 'evenkeel/metrics';
import { Linear, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { epochScores, fit } from 'evenkeel/train';
import { clusters, opposed } from '../support/synthetic.ts';

test('the last epoch and the best beside it, on data that the model gets worse on', async () => {
  const { train, other } = opposed();
  const model = Sequential(Linear(16, 10));
  const loss = crossEntropyLoss();
  const scores = epochScores(model, other);
  await fit(model, train, { loss, optimizer: sgd({ lr: 0.01 }), epochs: 6, batchSize: 32, seed: 3, onEpoch: scores });
  expect(scores.all.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(scores.last).toEqual({ epoch: 5, score: balancedAccuracy(await model.predict(other.x), other.y) });
  expect(scores.best.score).toBe(Math.max(...scores.all.map(({ score }) => score)));
  expect(scores.best.score).toBeGreaterThan(scores.last.score);
  model.dispose();
  loss.dispose();
});

test('any score; the first of equals is the best; nothing before the first epoch', async () => {
  const data = clusters({ n: 20, seed: 2 });
  const probabilities = [0, 1, 2, 2].map((right) => ({
    data: Float32Array.from({ length: 200 }, (_, i) =>
      Number(i % 10 === (data.y[Math.floor(i / 10)]! + (Math.floor(i / 10) < 5 * right ? 0 : 1)) % 10),
    ),
    shape: [20, 10],
  }));
  let call = 0;
  const scores = epochScores({ predict: async () => probabilities[call++] as never }, data, { score: accuracy });
  expect(() => scores.last).toThrow(new RangeError('epochScores: no epoch was scored, expected at least one'));
  expect(() => scores.best).toThrow('epochScores: no epoch was scored');
  for (let epoch = 0; epoch < 4; epoch++) await scores({ epoch });
  expect(scores.all.map(({ score }) => score)).toEqual([0, 0.25, 0.5, 0.5]);
  expect([scores.last.epoch, scores.best.epoch]).toEqual([3, 2]);
});
