import { describe, expect, test } from 'vitest';
import file from '../golden/noise-models.json';
import {
  asymmetricNoise,
  composeNoise,
  confusions,
  confusionTransition,
  instanceNoise,
  instanceProbabilities,
  makeDataset,
  openSetNoise,
  pairFlipNoise,
  randomRelabelling,
  recordedNoise,
  relabellingTransition,
  splitByMask,
  symmetricNoise,
  symmetricTransition,
  transitionNoise,
  truncatedNormalQuantile,
  type CleanLabels,
  type ClassNoise,
  type ConfusionName,
  type Dataset,
  type NoisyLabels,
  type Transition,
} from '../../src/data/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { dense, flat, relativeError, type GoldenCase } from '../support/golden.ts';

const labelled = (n: number, numClasses: number): CleanLabels => ({
  y: Int32Array.from({ length: n }, (_, i) => (i * 11) % numClasses),
  numClasses,
});
const wrong = ({ mask }: NoisyLabels): number => mask.reduce((sum, v) => sum + v, 0);
const close = (got: ArrayLike<number>, want: readonly number[], tolerance = 1e-12): void => {
  expect(got.length).toBe(want.length);
  want.forEach((v, i) => expect(Math.abs(got[i]! - v), `entry ${i}`).toBeLessThan(tolerance));
};
const images = (n: number, d: number, numClasses: number, at = 0): Dataset =>
  makeDataset(
    new NdArray(
      Float32Array.from({ length: n * d }, (_, i) => Math.sin(1 + at + 3 * i)),
      [n, d],
    ),
    Array.from({ length: n }, (_, i) => i % numClasses),
    { numClasses },
  );

describe('golden', () => {
  const matrix = (map: ConfusionName, classes: number, rate: number): Transition =>
    confusionTransition(confusions(map, classes), rate);
  const transitions: Record<string, (rate: number, classes: number) => Transition> = {
    symmetric: (rate, classes) => symmetricTransition(classes, rate),
    pairFlip: (rate, classes) => matrix('next', classes, rate),
    asymmetricCifar10: (rate) => matrix('cifar10', 10, rate),
    asymmetricMnist: (rate) => matrix('mnist', 10, rate),
    // The first block; the others repeat it.
    cifar100Block: (rate) =>
      matrix('cifar100-blocks', 100, rate)
        .slice(0, 5)
        .map((row) => row.slice(0, 5)),
    asymmetricExactCount: (rate) => matrix('cifar10', 10, rate),
    randomRelabel: (rate, classes) => relabellingTransition(classes, rate),
  };
  const run = ({ method, options, inputs, outputs }: GoldenCase): void => {
    const { rate, classes } = options as { rate: number; classes: number };
    const transition = transitions[method!]?.(rate, classes);
    if (transition) close(transition.flat(), flat(outputs.transition ?? outputs.expectedTransition ?? outputs.block));
    if (method === 'asymmetricExactCount') {
      const noise = asymmetricNoise(labelled(20_000, 10), { rate, map: 'cifar10', draw: 'exactCount' });
      expect(Math.abs(wrong(noise) / 20_000 - Number(outputs.effectiveRateBalanced))).toBeLessThan(
        4 * Math.sqrt(0.25 / 20_000),
      );
    }
    if (method === 'randomRelabel') {
      const noise = randomRelabelling(labelled(20_000, classes), { rate });
      expect(Math.abs(wrong(noise) / 20_000 - Number(outputs.wrongFraction))).toBeLessThan(
        4 * Math.sqrt(0.25 / 20_000),
      );
    }
    if (method === 'exactCount') {
      const data = labelled(Number(inputs.N), classes);
      expect(wrong(symmetricNoise(data, { rate }))).toBe(outputs.flipped);
      const noise = symmetricNoise(data, { rate, draw: 'classBalanced' });
      const each = new Array<number>(classes).fill(0);
      noise.mask.forEach((v, i) => (each[data.y[i]!]! += v));
      expect(each).toEqual(new Array<number>(classes).fill(Number(outputs.classBalancedPerClass)));
    }
    if (method === 'instanceRateDistribution') {
      const shape = { mean: rate, std: Number(options.std), low: 0, high: 1 };
      close(
        [truncatedNormalQuantile(0.05, shape), truncatedNormalQuantile(0.95, shape)],
        [Number(outputs.q05), Number(outputs.q95)],
        1e-9,
      );
      const q = Array.from({ length: 20_000 }, (_, i) => truncatedNormalQuantile((i + 0.5) / 20_000, shape));
      const mean = q.reduce((a, b) => a + b, 0) / q.length;
      close(
        [mean, Math.sqrt(q.reduce((a, b) => a + (b - mean) ** 2, 0) / q.length)],
        [Number(outputs.mean), Number(outputs.std)],
        3e-6,
      );
    }
    if (method === 'instanceCores' || method === 'instanceLogitClip') {
      const weights = method === 'instanceCores' ? 'shared' : 'perClass';
      const y = flat(inputs.labels);
      const flipRate = weights === 'shared' ? flat(inputs.flipRate) : y.map(() => 1);
      const p = instanceProbabilities(dense(inputs.features).data, y, flat(inputs.W), classes, { weights, flipRate });
      flat(outputs.probability).forEach((want, i) => expect(relativeError(p.data[i]!, want)).toBeLessThan(1e-10));
    }
  };
  const known = [
    ...Object.keys(transitions),
    'exactCount',
    'instanceRateDistribution',
    'instanceCores',
    'instanceLogitClip',
  ];
  test('every case runs', () =>
    expect([file.filter((c) => known.includes(c.method)).length, file.length]).toEqual([43, 43]));
  test.each(file as unknown as GoldenCase[])('$name', run);
});

const models: Record<string, (data: CleanLabels, seed: number) => ClassNoise> = {
  'symmetric, exact count': (data, seed) => symmetricNoise(data, { rate: 0.29, seed }),
  'symmetric, class-balanced': (data, seed) => symmetricNoise(data, { rate: 0.29, seed, draw: 'classBalanced' }),
  'symmetric, Bernoulli': (data, seed) => symmetricNoise(data, { rate: 0.29, seed, draw: 'bernoulli' }),
  'random relabelling': (data, seed) => randomRelabelling(data, { rate: 0.29, seed }),
  'asymmetric, per class': (data, seed) => asymmetricNoise(data, { rate: 0.29, seed, map: 'cifar10' }),
  'asymmetric, Bernoulli': (data, seed) => asymmetricNoise(data, { rate: 0.29, seed, map: 'mnist', draw: 'bernoulli' }),
  'asymmetric, exact count': (data, seed) =>
    asymmetricNoise(data, { rate: 0.29, seed, map: 'mnist', draw: 'exactCount' }),
  'pair flip': (data, seed) => pairFlipNoise(data, { rate: 0.29, seed }),
};

describe.each(Object.entries(models))('%s', (_name, make) => {
  const data = labelled(10_000, 10);
  test('marks what is wrong, follows its transition, leaves the clean labels, and depends on the seed alone', () => {
    const clean = Int32Array.from(data.y);
    const { y, mask, transition } = make(data, 3);
    expect(data.y).toEqual(clean);
    expect(Array.from(mask)).toEqual(Array.from(y, (label, i) => Number(label !== clean[i])));
    expect(make(data, 3).y).toEqual(y);
    expect(make(data, 4).y).not.toEqual(y);
    const counts = transition.map((row) => row.map(() => 0));
    y.forEach((label, i) => counts[clean[i]!]![label]!++);
    // 1000 of each class: four deviations of a binomial count.
    transition.forEach((row, c) =>
      row.forEach((p, j) =>
        expect(Math.abs(counts[c]![j]! - 1000 * p), `${c} -> ${j}`).toBeLessThanOrEqual(
          4 * Math.sqrt(1000 * p * (1 - p)) + 1e-9,
        ),
      ),
    );
  });
});

test('exact counts are exact, also where the product is not', () => {
  const data = labelled(100, 10);
  expect([0, 0.29, 0.5, 1].map((rate) => wrong(symmetricNoise(data, { rate })))).toEqual([0, 29, 50, 100]);
  expect(wrong(pairFlipNoise(data, { rate: 0.3 }))).toBe(30);
  expect(wrong(asymmetricNoise(data, { rate: 0.4, map: 'cifar10' }))).toBe(5 * 4);
});

test('the maps of CIFAR-100 keep to groups of five', () => {
  const superclass = confusions('cifar100', 100);
  // apple -> mushroom -> orange -> pear -> sweet pepper
  expect([0, 51, 53, 57, 83].map((c) => superclass[c])).toEqual([51, 53, 57, 83, 0]);
  expect(new Set(superclass).size).toBe(100);
  expect([0, 4, 95, 99].map((c) => confusions('cifar100-blocks', 100)[c])).toEqual([1, 0, 96, 95]);
  expect(confusions('next', 3)).toEqual([1, 2, 0]);
});

describe('instance-dependent', () => {
  const data = images(2000, 8, 5);
  test.each(['cores', 'logitclip'] as const)(
    '%s: rows are probabilities, the rate is met, wrong labels follow the input',
    (model) => {
      const { y, mask, probabilities } = instanceNoise(data, { rate: 0.3, seed: 1, model });
      expect(probabilities.shape).toEqual([2000, 5]);
      for (let i = 0; i < 2000; i += 97) expect(probabilities.at(i).data.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
      const count = mask.reduce((a, b) => a + b, 0);
      if (model === 'logitclip') expect(count).toBe(600);
      else expect(Math.abs(count - 600)).toBeLessThan(4 * Math.sqrt(2000 * 0.3 * 0.7));
      expect(instanceNoise(data, { rate: 0.3, seed: 1, model }).y).toEqual(y);
      // A large projection leaves nothing to chance: each flipped label is the likeliest wrong one.
      const sure = instanceNoise(data, { rate: 0.3, seed: 1, model, scale: 1e6 });
      const likeliest = (i: number): number => {
        const row = Array.from(sure.probabilities.at(i).data, (p, c) => (c === data.y[i] ? -1 : p));
        return row.indexOf(Math.max(...row));
      };
      sure.mask.forEach((isWrong, i) => isWrong && expect(sure.y[i]).toBe(likeliest(i)));
    },
  );
});

describe('independence', () => {
  const n = 20_000;
  const data = images(n, 4, 10);
  const other = images(50, 4, 10, 3);
  const all: Record<string, (data: Dataset, draw: { seed: number; stream?: number }) => { mask: Uint8Array }> = {
    'symmetric, exactCount': (d, draw) => symmetricNoise(d, { rate: 0.3, ...draw }),
    'symmetric, classBalanced': (d, draw) => symmetricNoise(d, { rate: 0.3, draw: 'classBalanced', ...draw }),
    'symmetric, bernoulli': (d, draw) => symmetricNoise(d, { rate: 0.3, draw: 'bernoulli', ...draw }),
    'asymmetric, perClass': (d, draw) => asymmetricNoise(d, { rate: 0.3, map: 'next', ...draw }),
    'asymmetric, exactCount': (d, draw) => asymmetricNoise(d, { rate: 0.3, map: 'next', draw: 'exactCount', ...draw }),
    'asymmetric, bernoulli': (d, draw) => asymmetricNoise(d, { rate: 0.3, map: 'next', draw: 'bernoulli', ...draw }),
    'pairFlip, perClass': (d, draw) => pairFlipNoise(d, { rate: 0.3, ...draw }),
    'pairFlip, bernoulli': (d, draw) => pairFlipNoise(d, { rate: 0.3, draw: 'bernoulli', ...draw }),
    relabelling: (d, draw) => randomRelabelling(d, { rate: 0.3, ...draw }),
    transition: (d, draw) => transitionNoise(d, symmetricTransition(10, 0.3), draw),
    'instance, cores': (d, draw) => instanceNoise(d, { rate: 0.3, ...draw }),
    'instance, logitclip': (d, draw) => instanceNoise(d, { rate: 0.3, model: 'logitclip', ...draw }),
    openSet: (d, draw) => openSetNoise(d, other, { rate: 0.3, ...draw }),
  };
  const masks = new Map(Object.entries(all).map(([name, make]) => [name, make(data, { seed: 5 }).mask]));
  /** Both masks hit as many samples as independent ones would, to five deviations. */
  const independent = (a: Uint8Array, b: Uint8Array): void => {
    const [p, q] = [a, b].map((mask) => mask.reduce((sum, v) => sum + v, 0) / n) as [number, number];
    const both = a.reduce((sum, v, i) => sum + (v & b[i]!), 0);
    expect(Math.abs(both - n * p * q)).toBeLessThan(5 * Math.sqrt(n * p * q * (1 - p) * (1 - q)));
  };
  const model = (name: string): string => (name.startsWith('instance') ? name : name.split(',')[0]!);
  const pairs = Object.keys(all)
    .flatMap((a, i) =>
      Object.keys(all)
        .slice(i + 1)
        .map((b) => [a, b] as const),
    )
    .filter(([a, b]) => model(a) !== model(b));
  test.each(pairs)('%s and %s at one seed', (a, b) => independent(masks.get(a)!, masks.get(b)!));
  test.each(Object.keys(all))('%s in two streams', (name) => {
    independent(masks.get(name)!, all[name]!(data, { seed: 5, stream: 1 }).mask);
    independent(masks.get(name)!, all[name]!(data, { seed: 5, stream: 254 }).mask);
    expect(all[name]!(data, { seed: 5, stream: 0 }).mask).toEqual(masks.get(name));
    for (const stream of [-1, 0.5, 255])
      expect(() => all[name]!(data, { seed: 5, stream })).toThrow(
        new RegExp(`^\\w+: stream is ${stream}, expected an integer in 0..254$`),
      );
  });
});

describe('composeNoise', () => {
  const data = labelled(20_000, 10);
  test(
    'one model twice: wrong as often as the product of the ' + 'transitions says, marked against the clean labels',
    () => {
      const twice = composeNoise(
        data,
        [
          (d, draw) => symmetricNoise(d, { rate: 0.3, ...draw }),
          (d, draw) => symmetricNoise(d, { rate: 0.3, ...draw }),
        ],
        { seed: 4 },
      );
      const right = 0.7 * 0.7 + 9 * (0.3 / 9) ** 2;
      close([twice.transition![0]![0]!, twice.transition![0]!.reduce((a, b) => a + b, 0)], [right, 1]);
      expect(Math.abs(wrong(twice) / 20_000 - (1 - right))).toBeLessThan(4 * Math.sqrt((right * (1 - right)) / 20_000));
      expect(Array.from(twice.mask)).toEqual(Array.from(twice.y, (label, i) => Number(label !== data.y[i])));
      expect(twice).toEqual(
        composeNoise(
          data,
          [
            (d, draw) => symmetricNoise(d, { rate: 0.3, ...draw }),
            (d, draw) => symmetricNoise(d, { rate: 0.3, ...draw }),
          ],
          { seed: 4 },
        ),
      );
    },
  );
  test('the order of the product, no models, and a model without a transition', () => {
    const maps = [
      [
        [0, 1],
        [0, 1],
      ],
      [
        [0.5, 0.5],
        [1, 0],
      ],
    ] as const;
    expect(
      composeNoise(
        { y: Int32Array.of(0), numClasses: 2 },
        maps.map((t) => (d, draw) => transitionNoise(d, t, draw)),
      ).transition,
    ).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(composeNoise(data, [])).toMatchObject({ y: data.y, transition: expect.any(Array) as unknown });
    const set = images(100, 4, 5);
    const both = composeNoise(set, [
      (d, draw) => instanceNoise(d, { rate: 0.2, ...draw }),
      (d, draw) => pairFlipNoise(d, { rate: 0.2, ...draw }),
    ]);
    expect(both.transition).toBeUndefined();
    expect(wrong(both)).toBeGreaterThan(20);
    expect(() => composeNoise(data, [], { sed: 1 } as never)).toThrow(
      "composeNoise: unknown option 'sed', did you mean 'seed'?",
    );
  });
});

test('open set: inputs of another set, labels kept', () => {
  const [data, other] = [images(100, 4, 5), images(30, 4, 2, 50)];
  const { data: mixed, mask } = openSetNoise(data, other, { rate: 0.4, seed: 2 });
  expect(mixed.y).toEqual(data.y);
  expect(mask.reduce((a, b) => a + b, 0)).toBe(40);
  const foreign = new Set(Array.from({ length: 30 }, (_, i) => other.x.at(i).data.join()));
  const used = new Set<string>();
  mask.forEach((replaced, i) => {
    const row = mixed.x.at(i).data.join();
    expect(foreign.has(row)).toBe(replaced === 1);
    if (!replaced) expect(row).toBe(data.x.at(i).data.join());
    else used.add(row);
  });
  expect(used.size).toBe(30);
  const { clean, noisy } = splitByMask(mixed, mask);
  expect([clean.y.length, noisy.y.length]).toEqual([60, 40]);
});

test('recorded labels, and a matrix of ones own', () => {
  const noise = recordedNoise({ y: Int32Array.of(0, 0, 0, 1), numClasses: 3 }, [0, 2, 2, 1]);
  expect([Array.from(noise.y), Array.from(noise.mask)]).toEqual([
    [0, 2, 2, 1],
    [0, 1, 1, 0],
  ]);
  expect(noise.transition).toEqual([
    [1 / 3, 0, 2 / 3],
    [0, 1, 0],
    [0, 0, 1],
  ]);
  expect(
    Array.from(
      transitionNoise({ y: Int32Array.of(0, 1, 0), numClasses: 2 }, [
        [0, 1],
        [1, 0],
      ]).y,
    ),
  ).toEqual([1, 0, 1]);
});

test("instance noise 'cores' flips what the page says: more than a small rate, unless std shrinks with it", () => {
  const data = images(20_000, 2, 3);
  for (const [rate, std, want] of [
    [0.02, 0.1, 0.0875],
    [0.1, 0.1, 0.1288],
    [0.2, 0.1, 0.2055],
    [0.02, 0.005, 0.02],
    [0.1, 0.025, 0.1],
  ] as const) {
    const { mask } = instanceNoise(data, { rate, std, seed: 5 });
    expect(Math.abs(mask.reduce((a, b) => a + b, 0) / 20_000 - want), `rate ${rate}, std ${std}`).toBeLessThan(
      4 * Math.sqrt((want * (1 - want)) / 20_000),
    );
  }
});

test.each<[() => unknown, string]>([
  [() => symmetricNoise(labelled(9, 3), { rate: 1.1 }), 'symmetricTransition: rate is 1.1, expected a number in 0..1'],
  [
    () => symmetricNoise(labelled(9, 1), { rate: 0.1 }),
    'symmetricTransition: numClasses is 1, expected an integer >= 2',
  ],
  [
    () => symmetricNoise(labelled(9, 3), { rate: 0.1, draw: 'all' as never }),
    "symmetricNoise: draw is 'all', expected 'exactCount', 'classBalanced' or 'bernoulli'",
  ],
  [
    () => asymmetricNoise(labelled(9, 3), { rate: 0.1, map: 'cifar10' }),
    "confusions: 'cifar10' has 10 classes, the labels have 3",
  ],
  [
    () => asymmetricNoise(labelled(9, 3), { rate: 0.1, map: 'cifar' as never }),
    "confusions: there is none named 'cifar', expected 'cifar10', 'mnist', 'cifar100', 'cifar100-blocks', " +
      "'next' or a list",
  ],
  [
    () => asymmetricNoise(labelled(9, 3), { rate: 0.1, map: [1, 2, 3] }),
    'confusions: class 2 is mistaken for 3, expected a class in 0..2',
  ],
  [
    () => asymmetricNoise(labelled(9, 3), { rate: NaN, map: [1, 2, 0] }),
    'confusionTransition: rate is NaN, expected a number in 0..1',
  ],
  [
    () =>
      transitionNoise(labelled(9, 2), [
        [1, 0],
        [0.5, 0.4],
      ]),
    'transitionNoise: row 1 of transition is [0.5,0.4], expected probabilities that sum to 1',
  ],
  [
    () => transitionNoise(labelled(9, 2), [[1, 0]]),
    'transitionNoise: transition has 1 rows, the labels have 2 classes',
  ],
  [
    () => symmetricNoise({ y: Int32Array.of(0, 3), numClasses: 3 }, { rate: 0.5 }),
    'symmetricNoise: y[1] is 3, expected an integer in 0..2',
  ],
  [
    () => asymmetricNoise({ y: Int32Array.of(-1), numClasses: 3 }, { rate: 0.5, map: 'next' }),
    'asymmetricNoise: y[0] is -1, expected an integer in 0..2',
  ],
  [
    () => randomRelabelling({ y: Int32Array.of(0, 9), numClasses: 3 }, { rate: 0.5 }),
    'randomRelabelling: y[1] is 9, expected an integer in 0..2',
  ],
  [() => relabellingTransition(0, 0.5), 'relabellingTransition: numClasses is 0, expected a positive integer'],
  [
    () => recordedNoise({ y: Int32Array.of(2), numClasses: 2 }, [0]),
    'recordedNoise: y[0] is 2, expected an integer in 0..1',
  ],
  [
    () => instanceProbabilities([NaN, 1], [0], [1, 1, 1, 1], 2, { weights: 'shared', flipRate: [0.5] }),
    'instanceProbabilities: x is NaN in row 0, expected finite numbers',
  ],
  [
    () => instanceProbabilities([1, 2, 3], [0, 1], [1, 1, 1, 1], 2, { weights: 'shared', flipRate: [0.1, 0.1] }),
    'instanceProbabilities: x has 3 entries, expected a multiple of 2, the number of labels',
  ],
  [
    () => instanceProbabilities([1, 2], [0, 1], [1], 2, { weights: 'shared', flipRate: [0.1, 0.1] }),
    'instanceProbabilities: w has 1 entries, expected 2',
  ],
  [
    () => instanceProbabilities([1, 2], [0, 1], [1, 1], 2, { weights: 'shared', flipRate: [0.1] }),
    'instanceProbabilities: flipRate has 1 entries, expected 2, one per label',
  ],
  [
    () => instanceProbabilities([1, 2], [0, 1], [1, 1], 2, { weights: 'shared', flipRate: [0.1, 2] }),
    'instanceProbabilities: flipRate[1] is 2, expected a number in 0..1',
  ],
  [() => recordedNoise(labelled(2, 2), [0, 2]), 'recordedNoise: labels[1] is 2, expected an integer in 0..1'],
  [
    () => instanceNoise(images(4, 2, 2), { rate: 0.1, std: 0 }),
    'instanceNoise: std is 0, expected a finite number > 0',
  ],
  [
    () => openSetNoise(images(4, 2, 2), images(4, 3, 2), { rate: 0.1 }),
    'openSetNoise: other has inputs of shape [3], expected [2]',
  ],
  [() => splitByMask(images(4, 2, 2), [1]), 'splitByMask: mask has 1 entries, expected 4, one per sample'],
])('bad input %#', (call, message) => {
  expect(call).toThrow(message);
});
