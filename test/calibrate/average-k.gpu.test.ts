import { describe, expect, test } from 'vitest';
import { tensor } from 'evenkeel';
import { averageK, averageKOnDevice, type AverageKOptions } from 'evenkeel/calibrate';
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
        expect((await averageKOnDevice(device, k, { tie })).state).toEqual(averageK(probs, k, { tie }).state);
    },
  );

  test('thousands of scores with ties and both signs', async () => {
    const data = Float32Array.from(integers(3001 * 7, 500, 2), (v) => Math.fround((v - 250) / 37));
    using device = tensor(data, { shape: [3001, 7] });
    for (const k of [1, 2.7, 6.999]) {
      const options = { tie, input: 'scores', seed: 5 } as const;
      expect((await averageKOnDevice(device, k, options)).state).toEqual(
        averageK({ data, shape: [3001, 7] }, k, options).state,
      );
    }
  });
});

test.each([NaN, Infinity, -Infinity])('%s in one score is refused, of scores and of probabilities', async (bad) => {
  using x = tensor([0.5, 0.5, bad, 0.5], { shape: [2, 2] });
  for (const input of ['scores', 'probabilities'] as const) {
    await expect(averageKOnDevice(x, 1, { input })).rejects.toThrow(
      'averageK: probs holds NaN or Infinity, expected finite numbers',
    );
  }
});

test('logits in disguise and an impossible k are refused', async () => {
  using logits = tensor([3, -1, 0, 5], { shape: [2, 2] });
  await expect(averageKOnDevice(logits, 1)).rejects.toThrow(
    'averageK: probs lie in -1..5 with row sums in 2..5, expected probabilities (apply softmax to logits first)',
  );
  await expect(averageKOnDevice(logits, 3)).rejects.toThrow('averageK: k is 3, expected 0 < k <= 2');
});
