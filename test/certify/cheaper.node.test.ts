import { describe, expect, test } from 'vitest';
import { ABSTAIN } from '../../src/certify/certificates.ts';
import { eventLimit } from '../../examples/reproduce/lib/statistics.ts';
import { hostUniform, key, splitKey } from '../../src/random/index.ts';
import { certifiedRadius, clopperPearsonLower, normalCdf, normalQuantile } from '../../src/stats/index.ts';
import { binomialDraw } from '../support/binomial-draw.ts';
import { atRadius, inputSpecific, staged, type Counts } from '../support/certify.ts';

/** Two classes, the second of probability p; each call is a fresh draw. */
function bernoulli(p: number, seed: number, sizes: number[] = []): Counts {
  let calls = 0;
  return async (n) => {
    sizes.push(n);
    const k = binomialDraw(hostUniform(1, 1, splitKey(key(seed), calls++))[0]!, n, p);
    return [n - k, k];
  };
}

/** Whether f throws this way before it draws. */
const refuses = async (f: (draw: Counts) => Promise<unknown>, text: string): Promise<void> => {
  await expect(
    f(async () => {
      throw new Error('drawn');
    }),
  ).rejects.toThrow(text);
};

describe('certifyAtRadius', () => {
  test('spends few copies on easy inputs, and abstains when maxSamples are spent', async () => {
    const at = (p: number, options = {}) =>
      atRadius(bernoulli(p, 1), { sigma: 0.5, radius: 0.5, batchSize: 1, ...options });
    // All agree: log M = log of B(n + 1/2, 1/2) / (pi p0^n) reaches log 1000 after 55 copies at p0 = Phi(1).
    expect(await at(1)).toEqual({
      decision: 'certified',
      label: 1,
      radius: 0.5,
      selected: 1,
      samples: 100 + 55,
      hits: 55,
    });
    expect(await at(0.6)).toMatchObject({ decision: 'rejected', label: ABSTAIN, radius: 0, selected: 1 });
    expect((await at(0.6)).samples).toBeLessThan(160);
    const sizes: number[] = [];
    expect(
      await atRadius(bernoulli(normalCdf(1), 3, sizes), {
        sigma: 0.5,
        radius: 0.5,
        maxSamples: 250,
        batchSize: 100,
      }),
    ).toMatchObject({ decision: 'abstained', label: ABSTAIN, radius: 0, selected: 1, samples: 350 });
    expect(sizes).toEqual([100, 100, 100, 50]);
  });
  test('2,000 classifiers at, just within and just beyond the radius: wrong no more often than alpha', async () => {
    const [runs, alpha] = [2000, 0.05];
    for (const shift of [-0.02, 0, 0.02]) {
      const p = normalCdf(0.5 + shift);
      let [certified, rejected] = [0, 0];
      for (let i = 0; i < runs; i++) {
        // No n0 copy is wrong about the class, so that each run counts.
        const draw = bernoulli(p, i);
        const isFirst = { yes: true };
        const { decision } = await atRadius(async (n) => (isFirst.yes ? ((isFirst.yes = false), [0, n]) : draw(n)), {
          sigma: 1,
          radius: 0.5,
          alpha,
          maxSamples: 640,
          batchSize: 40,
        });
        certified += Number(decision === 'certified');
        rejected += Number(decision === 'rejected');
      }
      const limit = eventLimit(runs, alpha);
      if (shift <= 0) expect(certified).toBeLessThanOrEqual(limit);
      if (shift >= 0) expect(rejected).toBeLessThanOrEqual(limit);
      expect(certified + rejected).toBeGreaterThan(0);
    }
  });
  test('bad input, before anything is drawn', async () => {
    const good = { sigma: 0.5, radius: 0.5 };
    await refuses(
      (d) => atRadius(d, { ...good, sigma: 0 }),
      'certifyAtRadius: sigma is 0, expected a finite number > 0',
    );
    await refuses(
      (d) => atRadius(d, { ...good, radius: -1 }),
      'certifyAtRadius: radius is -1, expected a finite number >= 0',
    );
    await refuses(
      (d) => atRadius(d, { ...good, radius: 5 }),
      'certifyAtRadius: radius is 5 = 10 sigma, expected one whose probability is below 1 in f64',
    );
    await refuses((d) => atRadius(d, { ...good, alpha: 1 }), 'certifyAtRadius: alpha is 1, expected 0 < alpha < 1');
    await refuses(
      (d) => atRadius(d, { ...good, batchSize: 0 }),
      'certifyAtRadius: batchSize is 0, expected a positive integer',
    );
    await refuses((d) => atRadius(d, { ...good, signal: AbortSignal.abort(new Error('stop')) }), 'stop');
    await expect(atRadius(async (n) => [n, 1], good)).rejects.toThrow(
      'certifyAtRadius: count gives counts that add up to 101, expected 100',
    );
    await expect(atRadius(async (n) => [n / 2 + 0.5, n / 2 - 0.5], { ...good, n0: 4 })).rejects.toThrow(
      'certifyAtRadius: count gives 2.5,1.5, expected integers of at least 0',
    );
  });
});

describe('certifyStaged', () => {
  test('stops at the first stage that knows', async () => {
    const at = (p: number) => staged(bernoulli(p, 2), { sigma: 1, radius: 1 });
    expect(await at(1)).toEqual({
      decision: 'certified',
      label: 1,
      selected: 1,
      radius: certifiedRadius(clopperPearsonLower(1000, 1000, 0.001 / 3), 1),
      samples: 1100,
      stages: 1,
    });
    expect(await at(0.7)).toEqual({
      decision: 'rejected',
      label: ABSTAIN,
      selected: 1,
      radius: 0,
      samples: 1100,
      stages: 1,
    });
    expect(await at(normalCdf(1.1))).toMatchObject({ decision: 'certified', stages: 2, samples: 11_100 });
    expect(await at(normalCdf(1))).toMatchObject({ decision: 'abstained', stages: 3, samples: 111_100, radius: 0 });
    // Below 1/2 no radius is within reach, 0 included.
    expect(await staged(async (n) => (n === 100 ? [0, 100] : [n, 0]), { sigma: 1, radius: 0 })).toMatchObject({
      decision: 'rejected',
      stages: 1,
    });
  });
  test(
    '2,000 classifiers at the radius: false certificates no more ' + 'often than alpha, false rejections than beta',
    async () => {
      const [runs, level] = [2000, 0.05];
      let [certified, rejected] = [0, 0];
      for (let i = 0; i < runs; i++) {
        const { decision } = await staged(bernoulli(normalCdf(1), i), {
          sigma: 1,
          radius: 1,
          stages: [100, 200, 400],
          alpha: level,
          beta: level,
        });
        certified += Number(decision === 'certified');
        rejected += Number(decision === 'rejected');
      }
      for (const count of [certified, rejected]) {
        expect(count).toBeLessThanOrEqual(eventLimit(runs, level));
        expect(count).toBeGreaterThan(20);
      }
    },
  );
  test('bad input, before anything is drawn', async () => {
    await refuses(
      (d) => staged(d, { sigma: 1, radius: 1, stages: [] }),
      'certifyStaged: stages has 0 entries, expected at least 1',
    );
    await refuses(
      (d) => staged(d, { sigma: 1, radius: 1, stages: [0] }),
      'certifyStaged: stages[0] is 0, expected a positive integer',
    );
    await refuses(
      (d) => staged(d, { sigma: 1, radius: NaN }),
      'certifyStaged: radius is NaN, expected a finite number >= 0',
    );
    await refuses(
      (d) => staged(d, { sigma: 1, radius: 1, beta: 0 }),
      'certifyStaged: beta is 0, expected 0 < beta < 1',
    );
  });
});

describe('certifyInputSpecific', () => {
  test('declines by no more than asked for, with fewer copies in the middle than at the end', async () => {
    const at = (p: number) => inputSpecific(bernoulli(p, 4), { sigma: 1, decline: 0.1, maxSamples: 10_000 });
    const [middle, end] = [await at(0.8), await at(1)];
    expect(middle.n).toBeLessThan(2500);
    expect(end.n).toBeGreaterThan(5000);
    expect(certifiedRadius(clopperPearsonLower(8000, 10_000, 0.001), 1) - middle.radius).toBeLessThan(0.1 + 0.1);
    expect(certifiedRadius(clopperPearsonLower(10_000, 10_000, 0.001), 1) - end.radius).toBeLessThanOrEqual(0.1);
    expect(end).toMatchObject({ label: 1, samples: end.n + 100, pLower: clopperPearsonLower(end.n, end.n, 0.001) });
  });
  test('gives up after the pilot when no class can reach 1/2', async () => {
    const sizes: number[] = [];
    const draw: Counts = async (n) => (sizes.push(n), Array.from({ length: 10 }, () => n / 10));
    expect(await inputSpecific(draw, { sigma: 1, decline: 0.1 })).toEqual({
      label: ABSTAIN,
      radius: 0,
      pLower: 0,
      n: 0,
      samples: 100,
    });
    expect(sizes).toEqual([100]);
  });
  test('500 classifiers: beyond the true radius no more often than alpha', async () => {
    const [runs, alpha] = [500, 0.05];
    let [violations, copies] = [0, 0];
    for (let i = 0; i < runs; i++) {
      const p = 0.55 + (0.44 * i) / runs;
      const { label, radius, samples } = await inputSpecific(bernoulli(p, i), {
        sigma: 1,
        decline: 0.3,
        maxSamples: 1000,
        steps: 8,
        alpha,
      });
      violations += Number(label !== ABSTAIN && (label === 0 || radius > normalQuantile(p)));
      copies += samples / runs;
    }
    expect(violations).toBeLessThanOrEqual(eventLimit(runs, alpha));
    expect(copies).toBeLessThan(800);
  });
  test('bad input, before anything is drawn', async () => {
    await refuses(
      (d) => inputSpecific(d, { sigma: 1, decline: 0 }),
      'certifyInputSpecific: decline is 0, expected a finite number > 0',
    );
    await refuses(
      (d) => inputSpecific(d, { sigma: 1, decline: 1, maxSamples: 9 }),
      'certifyInputSpecific: maxSamples is 9, expected an integer of at least 10',
    );
    await refuses(
      (d) => inputSpecific(d, { sigma: 1, decline: 1, pilotAlpha: 2 }),
      'certifyInputSpecific: pilotAlpha is 2, expected 0 < pilotAlpha < 1',
    );
  });
});
