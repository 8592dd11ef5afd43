import { describe, expect, test } from 'vitest';
import { tensor } from 'evenkeel';
import { averageK, type AverageKOptions } from 'evenkeel/sets';
import cases from '../golden/average-k.json';
import { casesOf, dense } from '../support/golden.ts';
import { integers } from '../support/sample.ts';

const ties: AverageKOptions['tie'][] = ['midpoint', 'conservative', 'random'];

describe.each(ties)('%s', (tie) => {
  test.each(casesOf(cases, 'averageK'))(
    'golden $name: the device finds the threshold of the host, bit by bit',
    async ({ inputs }) => {
      const probs = dense(inputs.calibrationProbabilities);
      using device = tensor(probs.data, { shape: probs.shape });
      for (const k of [0.01, 1, 1.5, 2, 3.3, probs.shape[1]!])
        expect((await averageK({ k, tie }).fit(device)).state).toEqual(averageK({ k, tie }).fit(probs).state);
    },
  );

  test('thousands of scores with ties and both signs', async () => {
    const data = Float32Array.from(integers(3001 * 7, 500, 2), (v) => Math.fround((v - 250) / 37));
    using device = tensor(data, { shape: [3001, 7] });
    for (const k of [1, 2.7, 6.999]) {
      const options = { tie, input: 'scores', seed: 5 } as const;
      expect((await averageK({ k, ...options }).fit(device)).state).toEqual(
        averageK({ k, ...options }).fit({ data, shape: [3001, 7] }).state,
      );
    }
  });
});

test('with weights it gives what the host gives', async () => {
  const data = Float32Array.from(integers(300 * 4, 50, 3), (v) => v / 7);
  // Rows of class 1 are rare, and their scores large.
  const labels = Array.from({ length: 300 }, (_, r) => Number(data[4 * r]! > 6));
  const scores = { data, shape: [300, 4] };
  using device = tensor(data, { shape: [300, 4] });
  const method = averageK({ k: 1.3, input: 'scores' });
  for (const weights of [{ sampleWeight: labels.map((y) => y + 1) }, { prior: 'balanced' }] as const) {
    const { state } = await method.fit(device, labels, weights);
    expect(state).toEqual(method.fit(scores, labels, weights).state);
    expect(state.threshold).not.toBe(method.fit(scores).state.threshold);
  }
  await expect(method.fit(device, [1])).rejects.toThrow('averageK: labels has 1 entries, expected 300, one per row');
});

test.each([NaN, Infinity, -Infinity])('%s in one score is refused, of scores and of probabilities', async (bad) => {
  using x = tensor([0.5, 0.5, bad, 0.5], { shape: [2, 2] });
  for (const input of ['scores', 'probabilities'] as const) {
    await expect(averageK({ k: 1, input }).fit(x)).rejects.toThrow(
      'averageK: probs holds NaN or Infinity, expected finite numbers',
    );
  }
});

test('logits in disguise and an impossible k are refused', async () => {
  using logits = tensor([3, -1, 0, 5], { shape: [2, 2] });
  await expect(averageK({ k: 1 }).fit(logits)).rejects.toThrow(
    'averageK: probs lie in -1..5 with row sums in 2..5, expected probabilities (apply softmax to logits first)',
  );
  await expect(averageK({ k: 3 }).fit(logits)).rejects.toThrow('averageK: k is 3, expected 0 < k <= 2');
});
