import { describe, expect, test } from 'vitest';
import cases from '../golden/longtail-data.json';
import {
  cdbSampler,
  classAwareSampler,
  classBalancedSampler,
  classProbabilities,
  classSampler,
  difficultyProbabilities,
  drs,
  instanceSampler,
  makeDataset,
  progressiveProbabilities,
  progressiveSampler,
  shuffledIndices,
  squareRootSampler,
  type Sampler,
  type SamplingRule,
} from '../../src/data/index.ts';
import { epochOrder } from '../../src/data/sampler.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { casesOf, flat, relativeError } from '../support/golden.ts';

function labelled(counts: readonly number[]) {
  const y = counts.flatMap((n, c) => new Array<number>(n).fill(c));
  return makeDataset(new NdArray(new Float32Array(y.length), [y.length, 1]), y, { numClasses: counts.length });
}

function expectClose(got: ArrayLike<number>, want: readonly number[], tolerance = 1e-12): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, c) => expect(relativeError(got[c]!, value), `class ${c}`).toBeLessThan(tolerance));
}

describe('class probabilities', () => {
  test.each(casesOf(cases, 'samplerClassProbabilities'))('golden $name', ({ options, inputs, outputs }) => {
    const counts = flat(inputs.counts);
    for (const [name, want] of Object.entries(outputs)) {
      const rule = name === 'classBalanced' ? 'balanced' : name;
      const got = name.startsWith('progressive_')
        ? progressiveProbabilities(counts, Number(name.slice('progressive_'.length)))
        : classProbabilities(counts, rule as SamplingRule, { beta: options.beta as number });
      expectClose(got, flat(want), 2e-12);
    }
  });
  test.each(casesOf(cases, 'cdbsSampling'))('golden $name', ({ options, inputs, outputs }) => {
    const counts = flat(inputs.counts);
    const got = difficultyProbabilities(
      flat(inputs.classAccuracy).map((a) => 1 - a),
      { tau: options.tau as number },
    );
    expectClose(got, flat(outputs.classProbability));
    expectClose(
      got.map((p, c) => p / counts[c]!),
      flat(outputs.sampleProbability),
    );
  });
  test('an empty class has none; a solved one has the floor; all solved is balanced', () => {
    for (const rule of ['instance', 'balanced', 'squareRoot', 'effectiveNumber', 'reversed'] as const) {
      const p = classProbabilities([4, 0, 4], rule);
      expectClose(p, [0.5, 0, 0.5]);
    }
    expectClose(difficultyProbabilities([0, 0.09]), [0.1, 0.9]);
    // 0.01^200 is 0 in f64.
    expectClose(difficultyProbabilities([0.01, 0, 0.005], { tau: 200 }), [1 / 3, 1 / 3, 1 / 3]);
    expectClose(difficultyProbabilities([0.03, 0.02], { tau: 200 }), [1, 1.5 ** -200]);
    expectClose(difficultyProbabilities([0, 0, 0], { tau: 2 }), [1 / 3, 1 / 3, 1 / 3]);
    expectClose(difficultyProbabilities([0.2, 0.9], { tau: 0 }), [0.5, 0.5]);
  });
});

describe('samplers', () => {
  const counts = [100, 50, 20, 5];
  const data = labelled(counts);
  const at = { epoch: 3, epochs: 10, seed: 7 };
  /** How often each class comes over many epochs. */
  const shares = (sampler: Sampler, epochs = 200, of = data): number[] => {
    const seen = new Array<number>(of.numClasses).fill(0);
    for (let epoch = 0; epoch < epochs; epoch++) for (const i of sampler(of, { ...at, epoch })) seen[of.y[i]!]!++;
    return seen.map((n) => n / (epochs * of.y.length));
  };

  test.each<[string, () => Sampler]>([
    ['instance', instanceSampler],
    ['classBalanced', classBalancedSampler],
    ['squareRoot', squareRootSampler],
    ['progressive', progressiveSampler],
    ['effectiveNumber', () => classSampler({ rule: 'effectiveNumber' })],
    ['classAware', classAwareSampler],
    ['drs', drs],
    ['cdb', cdbSampler],
  ])('%s: n indices, the same for the same seed and epoch, others for others', (_, make) => {
    const order = make()(data, at);
    expect(order).toHaveLength(175);
    expect(epochOrder(make(), data, at)).toEqual(order);
    expect(make()(data, { ...at, epoch: 4 })).not.toEqual(order);
    expect(make()(data, { ...at, seed: 8 })).not.toEqual(order);
    expect(make()(labelled([1]), at)).toEqual(Uint32Array.of(0));
    expect(Array.from(make()(labelled([0, 3, 0]), at)).every((i) => i < 3)).toBe(true);
  });
  test.each<[string, Sampler, ArrayLike<number>]>([
    ['instance', instanceSampler(), classProbabilities(counts, 'instance')],
    ['balanced', classBalancedSampler(), classProbabilities(counts, 'balanced')],
    ['square root', squareRootSampler(), classProbabilities(counts, 'squareRoot')],
    ['reversed', classSampler({ rule: 'reversed' }), classProbabilities(counts, 'reversed')],
    ['class-aware', classAwareSampler(), [0.25, 0.25, 0.25, 0.25]],
  ])('%s: classes come as often as they should', (_, sampler, want) => {
    // 35000 draws: five standard errors are below 0.0135.
    shares(sampler).forEach((share, c) => expect(Math.abs(share - want[c]!)).toBeLessThan(0.0135));
  });
  test('a sample of a class is as likely as another', () => {
    const seen = new Array<number>(175).fill(0);
    for (let epoch = 0; epoch < 400; epoch++)
      for (const i of classBalancedSampler()(data, { ...at, epoch })) seen[i]!++;
    // 3500 expected of each of the last five, standard error 58.
    seen.slice(170).forEach((n) => expect(Math.abs(n - 3500)).toBeLessThan(300));
  });
  test('instance sampling is what fit does by itself: each sample once', () => {
    const order = epochOrder(undefined, data, at);
    expect(order).toEqual(instanceSampler()(data, at));
    expect(order).toEqual(shuffledIndices(175, 7, 2 ** 32 + 3));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 175 }, (_, i) => i));
  });
  test('progressive starts as instance-balanced draws and ends class-balanced', () => {
    const last = progressiveSampler()(data, { ...at, epoch: 9 });
    expect(last).toEqual(classBalancedSampler()(data, { ...at, epoch: 9 }));
    expect(progressiveSampler()(data, { ...at, epoch: 0 })).toEqual(
      classSampler({ rule: 'instance' })(data, { ...at, epoch: 0 }),
    );
    expect(progressiveSampler()(data, { epoch: 0, epochs: 1, seed: 0 })).toEqual(
      classBalancedSampler()(data, { epoch: 0, epochs: 1, seed: 0 }),
    );
  });
  test('class-aware: every class once a round, every sample once a pass, across epochs', () => {
    const draws = [0, 1, 2].flatMap((epoch) => Array.from(classAwareSampler()(data, { ...at, epoch })));
    for (let i = 0; i + 4 <= draws.length; i += 4)
      expect(
        draws
          .slice(i, i + 4)
          .map((s) => data.y[s]!)
          .sort(),
      ).toEqual([0, 1, 2, 3]);
    const rare = draws.filter((i) => data.y[i] === 3);
    for (let i = 0; i + 5 <= rare.length; i += 5)
      expect(rare.slice(i, i + 5).sort((a, b) => a - b)).toEqual([170, 171, 172, 173, 174]);
  });
  test('drs switches at its epoch', () => {
    const sampler = drs({ from: 4 });
    expect(sampler(data, at)).toEqual(instanceSampler()(data, at));
    expect(sampler(data, { ...at, epoch: 4 })).toEqual(classBalancedSampler()(data, { ...at, epoch: 4 }));
    expect(drs({ from: 0, sampler: squareRootSampler() })(data, at)).toEqual(squareRootSampler()(data, at));
  });
  test('cdb follows the accuracies; NaN keeps a class as it was; equal ones are balanced', () => {
    const sampler = cdbSampler();
    expect(sampler(data, at)).toEqual(classBalancedSampler()(data, at));
    sampler.setClassAccuracy([0.9, 0.8, 0.7, 0.6]);
    shares(sampler).forEach((share, c) => expect(Math.abs(share - [0.1, 0.2, 0.3, 0.4][c]!)).toBeLessThan(0.0135));
    const before = sampler(data, at);
    sampler.setClassAccuracy([NaN, 0.8, NaN, 0.6]);
    expect(sampler(data, at)).toEqual(before);
    sampler.setClassAccuracy([0.5, 0.5, 0.5, 0.5]);
    expect(sampler(data, at)).toEqual(classBalancedSampler()(data, at));
  });
  test.each([
    [
      () => epochOrder(() => Uint32Array.of(0, 1), data, at),
      'fit: the sampler gave 2 indices, expected 175, as many as there are samples',
    ],
    [
      () => epochOrder(() => new Uint32Array(175).fill(175, 4), data, at),
      'fit: the sampler gave the index 175 at 4, expected one below 175',
    ],
    [
      () => classSampler({ rule: 'often' as never }),
      'classProbabilities: rule is often, expected one of instance balanced squareRoot effectiveNumber reversed',
    ],
    [
      () => classSampler({ rule: 'effectiveNumber', beta: 1 }),
      'effectiveNumberWeights: beta is 1, expected 0 <= beta < 1',
    ],
    [
      () => classProbabilities([0, 0], 'balanced'),
      'classProbabilities: counts are all 0, expected at least one sample',
    ],
    [
      () => classProbabilities([1, -1], 'balanced'),
      'classProbabilities: counts[1] is -1, expected a finite number >= 0',
    ],
    [() => progressiveProbabilities([1], 1.5), 'progressiveProbabilities: t is 1.5, expected a number in 0..1'],
    [() => drs({ from: -1 }), 'drs: from is -1, expected an integer >= 0'],
    [() => cdbSampler({ tau: -1 }), 'difficultyProbabilities: tau is -1, expected a finite number >= 0'],
    [() => cdbSampler({ floor: 0 }), 'difficultyProbabilities: floor is 0, expected 0 < floor <= 1'],
    [() => cdbSampler().setClassAccuracy([2]), 'cdbSampler: accuracy[0] is 2, expected a number in 0..1, or NaN'],
    [
      () => difficultyProbabilities([NaN]),
      'difficultyProbabilities: difficulties[0] is NaN, expected a number in 0..1',
    ],
  ])('bad input %#', (call, message) => {
    expect(call).toThrow(message);
  });
});

test('a large tau leaves probabilities, also where an absent class is the hardest', () => {
  const p = difficultyProbabilities([0.01, 0, 0.005], { tau: 200, floor: 0.001 });
  expect(p[0]).toBeCloseTo(1, 12);
  expect(p[2]! / 2 ** -200).toBeCloseTo(1, 9);
  expect([...difficultyProbabilities([0.01, 0, 0.005], { tau: 200 })]).toEqual([1 / 3, 1 / 3, 1 / 3]);
  const sampler = cdbSampler({ tau: 1000 });
  sampler.setClassAccuracy([0.5, 0, 0.5]);
  const order = sampler(
    { y: Int32Array.of(0, 0, 2, 2), numClasses: 3, classCounts: [2, 0, 2] },
    { epoch: 0, epochs: 1, seed: 0 },
  );
  expect([...order].every((i) => i < 4)).toBe(true);
  const many = sampler(
    { y: Int32Array.from({ length: 1000 }, (_, i) => 2 * (i % 2)), numClasses: 3, classCounts: [500, 0, 500] },
    { epoch: 0, epochs: 1, seed: 0 },
  );
  expect(Math.abs(many.filter((i) => i % 2 === 0).length - 500)).toBeLessThan(100);
});
