import { describe, expect, test } from 'vitest';
import { hostNormal, hostUniform, key, normals, philox, splitKey, type Key } from 'evenkeel/random';
import { normalCdf } from 'evenkeel/stats';
import { expNegative, logOf } from '../../src/random/box-muller.ts';
import * as reference from '../reference/random.ts';
import { expectDistributed, expectMoments, expectUncorrelated } from '../support/distribution.ts';
import { testRandom } from '../support/fuzz.ts';

const hex = (words: readonly number[]): string => words.map((w) => w.toString(16).padStart(8, '0')).join(' ');

describe('philox', () => {
  test('known answers of Random123', () => {
    const ones = 0xffffffff;
    expect(hex(philox([0, 0, 0, 0], [0, 0]))).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    expect(hex(philox([ones, ones, ones, ones], [ones, ones]))).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd');
    expect(hex(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]))).toBe(
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    );
  });
  test('agrees with 64-bit arithmetic at random counters', () => {
    const random = testRandom(3);
    const word = (): number => random(2 ** 16) * 2 ** 16 + random(2 ** 16);
    for (let i = 0; i < 500; i++) {
      const [counter, k]: [[number, number, number, number], Key] = [
        [word(), word(), word(), word()],
        [word(), word()],
      ];
      expect(philox(counter, k)).toEqual(reference.philox(counter, k));
    }
  });
});

describe('keys', () => {
  test('children differ from each other, from their parent and from those of another seed', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const parent = key(seed);
      seen.add(parent.join());
      for (let i = 0; i < 50; i++) seen.add(splitKey(parent, i).join());
    }
    expect(seen.size).toBe(20 * 51);
  });
  test('all 53 bits of a seed count', () => {
    expect(key(1)).not.toEqual(key(1 + 2 ** 32));
    expect(key(Number.MAX_SAFE_INTEGER)).not.toEqual(key(Number.MAX_SAFE_INTEGER - 2 ** 40));
    expect(splitKey(key(1), 0)).not.toEqual(splitKey(key(1), 2 ** 32));
  });
  test('errors', () => {
    expect(() => key(-1)).toThrow('key: seed is -1, expected an integer from 0 to 2^53 - 1');
    expect(() => key(0.5)).toThrow('key: seed is 0.5, expected an integer from 0 to 2^53 - 1');
  });
});

describe('the polynomials of the normal generator', () => {
  test('the radius, sqrt(-2 log u): relative error below 3e-7', () => {
    // At angle 0 the first normal is the radius.
    for (let k = 0; k < 2 ** 24; k += k < 4096 || k > 2 ** 24 - 4096 ? 1 : 997) {
      const [r] = normals([(k << 8) >>> 0, 0, 0, 0]);
      const want = Math.sqrt(-2 * Math.log((k + 1) * 2 ** -24));
      if (want === 0) expect(Math.abs(r)).toBe(0);
      else expect(Math.abs(r / want - 1)).toBeLessThan(3e-7);
    }
  });
  test(
    'log up to the largest f32 and exp of negative numbers: relative error below 2e-7, log absolute 1e-7 near ' + '1',
    () => {
      for (let e = -37; e < 38; e += 0.0137) {
        const x = Math.fround(10 ** e);
        expect(Math.abs(logOf(x) - Math.log(x))).toBeLessThan(2e-7 * Math.max(0.5, Math.abs(Math.log(x))));
      }
      for (let i = 0; i < 20_000; i++) {
        const x = Math.fround((-87 * i) / 20_000);
        expect(Math.abs(expNegative(x) / Math.exp(x) - 1)).toBeLessThan(2e-7);
      }
      expect([expNegative(-87.01), expNegative(-Infinity)]).toEqual([0, 0]);
    },
  );
  test('sine and cosine: absolute error below 2e-7', () => {
    const bits = 12_345 << 8;
    const [radius] = normals([bits, 0, 0, 0]);
    let worst = 0;
    for (let a = 0; a < 2 ** 32; a += 104_729) {
      const [c, s] = normals([bits, a, 0, 0]);
      const angle = (2 * Math.PI * a) / 2 ** 32;
      worst = Math.max(worst, Math.abs(c / radius - Math.cos(angle)), Math.abs(s / radius - Math.sin(angle)));
    }
    expect(worst).toBeLessThan(2e-7);
  });
  test('the largest value is 5.77', () => {
    expect(normals([0, 0, 0, 0])[0]).toBeCloseTo(Math.sqrt(48 * Math.LN2), 5);
  });
});

describe('a million host normals', () => {
  const n = 1_000_000;
  const z = hostNormal(1, n, key(2026));
  test('mean, variance, skewness and kurtosis within four standard errors', () =>
    expectMoments(z, [
      [0, 1],
      [1, 2],
      [0, 15],
      [3, 96],
    ]));
  test('Kolmogorov-Smirnov distance below the 1 % point', () => expectDistributed(z, normalCdf));
  test('neighbours are uncorrelated', () => expectUncorrelated(z));
  test('the tails have their share', () => {
    for (const limit of [2, 3, 4]) {
      const p = 2 * normalCdf(-limit);
      const found = z.reduce((t, v) => t + Number(Math.abs(v) > limit), 0) / n;
      expect(Math.abs(found - p), `beyond ${limit}`).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / n));
    }
  });
});

describe('host draws', () => {
  test('uniforms lie in [0, 1), with mean 1/2 and variance 1/12', () => {
    const u = hostUniform(1, 200_000, key(5));
    expect(u.every((v) => v >= 0 && v < 1)).toBe(true);
    expectMoments(u, [
      [1 / 2, 1 / 12],
      [1 / 3, 4 / 45],
    ]);
    expectDistributed(u, (v) => v);
    expectUncorrelated(u);
  });
  test('an item depends on its number alone', () => {
    const whole = hostNormal(6, 5, key(1));
    const part = hostNormal(2, 5, key(1), { first: 3 });
    expect(Array.from(part)).toEqual(Array.from(whole.slice(15, 25)));
  });
  test('streams are uncorrelated', () => {
    const n = 100_000;
    const [a, b] = [hostNormal(1, n, key(1)), hostNormal(1, n, key(1), { stream: 1 })];
    expect(Math.abs(a.reduce((t, v, i) => t + v * b[i]!, 0) / n)).toBeLessThan(4 / Math.sqrt(n));
  });
  test('mean and deviation', () => {
    const [z, y] = [hostNormal(2, 7, key(3)), hostNormal(2, 7, key(3), { mean: 2, std: 0.5 })];
    y.forEach((v, i) => expect(v).toBe(Math.fround(2 + Math.fround(0.5 * z[i]!))));
  });
});
