import * as objectivesEntry from 'evenkeel/objectives';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NdArray, scope, tensor, type Tensor } from 'evenkeel';
import { apgd, evaluateRobustness, fgsm, pgd, squareAttack, type AttackedModel } from 'evenkeel/attack';
import * as certify from 'evenkeel/certify';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss as crossEntropyLoss, type Objective } from 'evenkeel/losses';
import { linfHinge, linfMargin } from 'evenkeel/objectives';
import * as nn from 'evenkeel/nn';
import { crossEntropy, lpDistance, lpDistance2d, sum } from 'evenkeel/ops';
import { adam, linfSchedule, lpDecayAdamW, sgd } from 'evenkeel/optim';
import { hostUniform, key } from 'evenkeel/random';
import { fit } from 'evenkeel/train';
import { atRadius, certifyOne, inputSpecific, predictOne, staged, type Counts } from '../support/certify.ts';

/*
 * The bad inputs that certification, training for it and attacks may meet, each tried on every method that it concerns.
 * Every one is answered by a sentence that names method, argument, what came and what was expected, and no memory is
 * left behind.
 */

const [COUNT, CLASSES] = [8, 3];
const x = new NdArray(hostUniform(COUNT, 16, key(1)), [COUNT, 1, 4, 4]);
const y = [0, 1, 2, 0, 1, 2, 0, 1];
const data = makeDataset(x, y, { numClasses: CLASSES });
const { Smooth } = certify;

let model: nn.Sequential;
/** (n, 3, 2, 2), (n) and (n, 2) in place of (n, 3). */
let planes: nn.Sequential;
let narrow: nn.Sequential;
const flat: certify.BaseClassifier = { forward: (t: Tensor) => sum(t, { axes: [1, 2, 3] }) };
let targets: Tensor;

beforeAll(() => {
  model = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES)).init();
  planes = nn.Sequential(nn.Conv2d(1, CLASSES, 3)).init();
  narrow = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).init();
  targets = tensor(new Float32Array(COUNT * CLASSES).fill(1 / CLASSES), { shape: [COUNT, CLASSES] });
});
afterAll(() => {
  for (const t of [model, planes, narrow, targets]) t.dispose();
});

const smoothed = (of: certify.BaseClassifier = model): certify.Smooth =>
  new Smooth(of, { numClasses: CLASSES, sigma: 0.3 });
/** Runs it on a smoothed classifier that is disposed. */
async function onSmooth(run: (smooth: certify.Smooth) => unknown, of?: certify.BaseClassifier): Promise<unknown> {
  using smooth = smoothed(of);
  return await run(smooth);
}
/** All rows of a data set. */
async function all(
  smooth: certify.Smooth,
  options: certify.CertifyDatasetOptions = {},
  of: Parameters<typeof certify.certifyDataset>[1] = data,
): Promise<certify.CertificateRow[]> {
  const rows: certify.CertificateRow[] = [];
  for await (const { row } of certify.certifyDataset(smooth, of, { n0: 10, n: 50, ...options })) rows.push(row);
  return rows;
}
/** An attack on images and labels that are freed, as its result is. */
async function attack(
  run: (x: Tensor, y: Tensor<'i32'>) => Promise<Tensor>,
  labels: readonly number[] = y,
): Promise<void> {
  const [on, of] = [tensor(x), tensor([...labels], { dtype: 'i32' })];
  try {
    (await run(on, of)).dispose();
  } finally {
    on.dispose();
    of.dispose();
  }
}
const refuses = async (run: () => unknown, message: string, kind: string): Promise<void> => {
  const error = await Promise.resolve()
    .then(run)
    .then(
      () => null,
      (e: Error) => e,
    );
  expect(error?.message ?? 'no error').toContain(message);
  expect(error?.name).toBe(kind);
};
const undrawn: Counts = async () => {
  throw new Error('drawn');
};

describe('sigma <= 0, not finite, not a number', () => {
  const methods: [string, (sigma: number) => unknown][] = [
    ['Smooth', (sigma) => new Smooth(model, { numClasses: CLASSES, sigma })],
    ['smoothedPredictions', (sigma) => certify.smoothedPredictions(model, x, { numClasses: CLASSES, sigma })],
    ['certifyAtRadius', (sigma) => atRadius(undrawn, { sigma, radius: 1 })],
    ['certifyStaged', (sigma) => staged(undrawn, { sigma, radius: 1 })],
    ['certifyInputSpecific', (sigma) => inputSpecific(undrawn, { sigma, decline: 1 })],
    ['gaussian', (sigma) => objectivesEntry.gaussian({ sigma })],
    ['stability', (sigma) => objectivesEntry.stability({ sigma })],
    ['smoothAdv', (sigma) => objectivesEntry.smoothAdv({ sigma })],
    ['macer', (sigma) => objectivesEntry.macer({ sigma })],
    ['consistency', (sigma) => objectivesEntry.consistency({ sigma })],
    ['smoothMix', (sigma) => objectivesEntry.smoothMix({ sigma })],
    ['catRs', (sigma) => objectivesEntry.catRs({ sigma, targets })],
  ];
  test.each(methods)('%s', async (name, run) => {
    for (const sigma of [0, -1, NaN, Infinity])
      await refuses(() => run(sigma), `${name}: sigma is ${sigma}, expected a finite number > 0`, 'RangeError');
  });
});

describe('alpha outside (0, 1)', () => {
  const methods: [string, (alpha: number) => unknown][] = [
    ['Smooth.certify', (alpha) => onSmooth((s) => certifyOne(s, x.at(0), { n: 50, alpha }))],
    ['Smooth.certify', (alpha) => onSmooth((s) => s.certify(x, { n: 50, alpha }))],
    ['Smooth.certify', (alpha) => onSmooth((s) => all(s, { alpha }))],
    ['Smooth.predict', (alpha) => onSmooth((s) => predictOne(s, x.at(0), { n: 50, alpha }))],
    ['certifyAtRadius', (alpha) => atRadius(undrawn, { sigma: 1, radius: 1, alpha })],
    ['certifyStaged', (alpha) => staged(undrawn, { sigma: 1, radius: 1, alpha })],
    ['certifyInputSpecific', (alpha) => inputSpecific(undrawn, { sigma: 1, decline: 1, alpha })],
  ];
  test.each(methods)('%s', async (name, run) => {
    for (const alpha of [0, 1, -0.1, 1.5, NaN])
      await refuses(() => run(alpha), `${name}: alpha is ${alpha}, expected 0 < alpha < 1`, 'RangeError');
  });
});

describe('n below the least that can certify', () => {
  const below = (name: string, n: number, least: number, alpha: number): string =>
    `${name} is ${n}, expected an integer of at least ${least}: even if all of fewer copies agree, the bound ` +
    `at alpha ${alpha} is below 1/2`;
  test.each([
    [0.001, 10],
    [0.0001, 14],
    [0.05, 5],
    [0.5, 2],
    [0.6, 1],
    [2 ** -10, 11],
  ])('at alpha %d it is %d', async (alpha, least) => {
    using constant = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES)).init();
    constant.parameters.get('1.weight')!.write(new Float32Array(48));
    constant.parameters.get('1.bias')!.write([0, 1, 0]);
    using smooth = smoothed(constant);
    const { label, radius } = await certifyOne(smooth, x.at(0), { n: least, alpha });
    expect(label).toBe(1);
    expect(radius).toBeGreaterThan(0);
    for (const n of [least - 1, 0, -5, 10.5, NaN]) {
      await refuses(
        () => certifyOne(smooth, x.at(0), { n, alpha }),
        below('Smooth.certify: n', n, least, alpha),
        'RangeError',
      );
      await refuses(() => smooth.certify(x, { n, alpha }), below('Smooth.certify: n', n, least, alpha), 'RangeError');
      await refuses(() => all(smooth, { n, alpha }), below('Smooth.certify: n', n, least, alpha), 'RangeError');
      await refuses(
        () => inputSpecific(undrawn, { sigma: 1, decline: 1, maxSamples: n, alpha }),
        below('certifyInputSpecific: maxSamples', n, least, alpha),
        'RangeError',
      );
    }
  });

  test('a radius that the copies allowed cannot certify', async () => {
    const all = (n: number): Promise<number[]> => Promise.resolve([0, n]);
    // 55 copies that agree certify radius 1 sigma at any time, 48 in one stage of two at alpha / 2.
    await refuses(
      () => atRadius(undrawn, { sigma: 0.5, radius: 0.5, maxSamples: 54 }),
      'certifyAtRadius: maxSamples is 54, expected at least 55 copies: even if all of fewer agree, radius ' +
        '0.5 is out of reach at alpha 0.001',
      'RangeError',
    );
    expect(await atRadius(all, { sigma: 0.5, radius: 0.5, maxSamples: 55, batchSize: 1 })).toMatchObject({
      decision: 'certified',
      samples: 155,
    });
    await refuses(
      () => staged(undrawn, { sigma: 0.5, radius: 0.5, stages: [20, 43] }),
      'certifyStaged: the largest stage is 43, expected at least 44 copies: even if all of fewer agree, ' +
        'radius 0.5 is out of reach at alpha 0.001',
      'RangeError',
    );
    expect(await staged(all, { sigma: 0.5, radius: 0.5, stages: [20, 44] })).toMatchObject({
      decision: 'certified',
      stages: 2,
    });
    await refuses(
      () => staged(undrawn, { sigma: 1, radius: 0, stages: [9, 9] }),
      'certifyStaged: the largest stage is 9, expected at least 11 copies',
      'RangeError',
    );
  });

  test('PREDICT answers whatever n is, and abstains where no count could tell', async () => {
    using smooth = smoothed();
    expect(await predictOne(smooth, x.at(0), { n: 10 })).toBe(certify.ABSTAIN);
    for (const n of [0, -1, 2.5, NaN])
      await refuses(
        () => predictOne(smooth, x.at(0), { n }),
        `Smooth.predict: n is ${n}, expected a positive integer`,
        'RangeError',
      );
  });
});

describe('a model whose output is not (batch, classes)', () => {
  const objectives: [string, () => Objective][] = [
    ['gaussian', () => objectivesEntry.gaussian({ sigma: 0.3 })],
    ['stability', () => objectivesEntry.stability({ sigma: 0.3 })],
    ['smoothAdv', () => objectivesEntry.smoothAdv({ sigma: 0.3, steps: 1 })],
    ['macer', () => objectivesEntry.macer({ sigma: 0.3, numCopies: 2 })],
    ['consistency', () => objectivesEntry.consistency({ sigma: 0.3 })],
    ['consistency under attack', () => objectivesEntry.consistency({ sigma: 0.3, adversary: { eps: 0.1, steps: 1 } })],
    ['smoothMix', () => objectivesEntry.smoothMix({ sigma: 0.3, steps: 1 })],
    ['catRs', () => objectivesEntry.catRs({ sigma: 0.3, targets, steps: 1 })],
  ];
  test.each(objectives)('fit with %s', async (_, make) => {
    const train = (of: nn.Sequential): Promise<unknown> =>
      fit(of, data, { objective: make(), optimizer: sgd({ lr: 0.1 }), epochs: 1, batchSize: COUNT });
    await refuses(() => train(planes), 'expected (batch, classes)', 'ShapeError');
    await refuses(() => train(narrow), 'labels lie outside the classes of the model', 'RangeError');
  });

  test('targets of another data set', async () => {
    using few = tensor([1, 0, 0], { shape: [1, 3] });
    using line = tensor([1, 0, 0]);
    using wide = tensor(new Float32Array(8 * 4).fill(0.25), { shape: [8, 4] });
    await refuses(
      () =>
        fit(model, data, {
          objective: objectivesEntry.catRs({ sigma: 0.3, targets: wide, steps: 1 }),
          optimizer: sgd({ lr: 0.1 }),
          epochs: 1,
        }),
      'catRs: targets have shape [8,4], the model gives 3 classes',
      'ShapeError',
    );
    await refuses(
      () =>
        fit(model, data, {
          objective: objectivesEntry.catRs({ sigma: 0.3, targets: few }),
          optimizer: sgd({ lr: 0.1 }),
          epochs: 1,
        }),
      'fit: the dataset has 8 rows, the objective has numbers for 1',
      'ShapeError',
    );
    await refuses(
      () => objectivesEntry.catRs({ sigma: 0.3, targets: line }),
      'catRs: targets have shape [3], expected (rows of the dataset, classes)',
      'ShapeError',
    );
  });

  test.each(['planes', 'flat', 'narrow'])('certificates by smoothing: %s', async (which) => {
    const [of, shape] = (
      { planes: [planes, ',3,2,2'], flat: [flat, ''], narrow: [narrow, ',2'] } as Record<
        string,
        [certify.BaseClassifier, string]
      >
    )[which]!;
    const message = (rows: number): string => `Smooth: the model gives shape [${rows}${shape}], expected (batch, 3)`;
    await refuses(() => onSmooth((s) => certifyOne(s, x.at(0), { n: 50 }), of), message(100), 'ShapeError');
    await refuses(() => onSmooth((s) => predictOne(s, x.at(0), { n: 50 }), of), message(50), 'ShapeError');
    await refuses(() => onSmooth((s) => s.count(x.slice(0, 1), { n: 50 }), of), message(50), 'ShapeError');
    await refuses(() => onSmooth((s) => all(s), of), message(80), 'ShapeError');
    await refuses(
      () => onSmooth((s) => certify.certifyAtRadius(s, x.slice(0, 1), { radius: 0.1 }), of),
      message(100),
      'ShapeError',
    );
    await refuses(
      () => certify.smoothedPredictions(of, x, { numClasses: CLASSES, sigma: 0.3, n: 4 }),
      `smoothedPredictions: the model gives shape [8${shape}], expected (8, 3)`,
      'ShapeError',
    );
  });

  test('members of an ensemble that differ', async () => {
    await refuses(
      () => onSmooth((s) => certifyOne(s, x.at(0), { n: 50 }), certify.ensemble([model, narrow])),
      'ensemble: members give shapes [100,3] and [100,2], expected equal ones',
      'ShapeError',
    );
  });

  test.each(['ibp', 'crown-ibp', 'crown'] as const)('certificates by bounds: %s', async (method) => {
    await refuses(
      () => certify.certifyBounds(planes, x, { labels: y, eps: 0.01, method }),
      'certifyBounds: the model gives shape [8,3,2,2], expected (batch, classes)',
      'ShapeError',
    );
    await refuses(
      () => certify.certifyBounds(narrow, x, { labels: y, eps: 0.01, method }),
      'certifyBounds: labels[2] is 2, expected an integer in 0..1',
      'RangeError',
    );
  });

  test('certificates by margin', async () => {
    const power = new nn.DistancePower();
    using net = new nn.LinfDistNet(
      { dist: nn.LinfDistConv2d(1, CLASSES, 3, { power }), output: nn.NegatedDistance() },
      power,
    ).init();
    await refuses(
      () => certify.certifyMargin(net, x),
      'certifyMargin: the model gives shape [8,3,2,2], expected (batch, classes)',
      'ShapeError',
    );
  });

  const attacks: [string, (of: AttackedModel) => (x: Tensor, y: Tensor<'i32'>) => Promise<Tensor>][] = [
    ['pgd', (of) => (on, labels) => fgsm(of, on, labels, { eps: 0.1 })],
    ['pgd', (of) => (on, labels) => pgd(of, on, labels, { eps: 0.1, restarts: 2 })],
    ['apgd', (of) => (on, labels) => apgd(of, on, labels, { eps: 0.1, steps: 3 })],
    ['squareAttack', (of) => (on, labels) => squareAttack(of, on, labels, { eps: 0.1, queries: 5 })],
  ];
  test.each(attacks)('attacks, and labels outside the classes: %s', async (name, of) => {
    await refuses(
      () => attack(of(planes)),
      `${name}: the model gives shape [8,3,2,2], expected (8, classes)`,
      'ShapeError',
    );
    await refuses(() => attack(of(flat)), `${name}: the model gives shape [8], expected (8, classes)`, 'ShapeError');
    await refuses(() => attack(of(narrow)), `${name}: labels[2] is 2, expected an integer in 0..1`, 'RangeError');
    await refuses(
      () => attack(of(model), [0, 1, 2, -1, 0, 0, 0, 0]),
      `${name}: labels[3] is -1, expected an integer in 0..2`,
      'RangeError',
    );
    await refuses(() => attack(of(model), [0, 1]), `${name}: labels has shape [2], expected [8]`, 'ShapeError');
  });

  test('evaluateRobustness', async () => {
    await refuses(
      () => evaluateRobustness(planes, x, y, { eps: 0.1 }),
      'evaluateRobustness: the model gives shape [8,3,2,2], expected (8, classes)',
      'ShapeError',
    );
    await refuses(
      () => evaluateRobustness(flat, x, y, { eps: 0.1 }),
      'evaluateRobustness: the model gives shape [8], expected (8, classes)',
      'ShapeError',
    );
    await refuses(
      () => evaluateRobustness(narrow, x, y, { eps: 0.1 }),
      'evaluateRobustness: labels[2] is 2, expected an integer in 0..1',
      'RangeError',
    );
  });
});

describe('p < 1', () => {
  const one = (shape: readonly number[]): Tensor =>
    tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });
  const methods: [string, (p: number) => unknown][] = [
    ['lpDistance: p', (p) => lpDistance(one([2, 3]), one([4, 3]), null, { p })],
    ['lpDistance: p', (p) => lpDistance2d(one([1, 1, 4, 4]), one([2, 1, 3, 3]), null, { p })],
    ['DistancePower: p', (p) => new nn.DistancePower(p)],
    [
      'DistancePower: p',
      (p) => {
        using net = nn.linfDistMlp([3, 2]);
        net.power.set(p);
      },
    ],
    ['DistancePower: p', (p) => nn.linfDistMlp([3, 2], { p })],
    ['DistancePower: p', (p) => nn.sortNet([3, 4, 2], { p })],
    [
      'linfSchedule: pStart',
      (p) => linfSchedule({ pStartEpoch: 0, pEndEpoch: 1, lambda: 1, lambdaEnd: 0.1, pStart: p }),
    ],
    ['linfSchedule: pEnd', (p) => linfSchedule({ pStartEpoch: 0, pEndEpoch: 1, lambda: 1, lambdaEnd: 0.1, pEnd: p })],
    ['lpDecayAdamW: power.value', (p) => lpDecayAdamW({ power: { value: p } })],
  ];
  test.each(methods)('%s %#', (name, run) => {
    for (const p of [0.999, 0, -8, NaN])
      scope(() =>
        expect(() => run(p)).toThrow(
          new RegExp(`^${name} is ${p}, expected a (finite )?number (from 1 to Infinity|of at least 1|>= 1)`),
        ),
      );
  });
  test('certificates ask for infinity', async () => {
    using net = nn.linfDistMlp([16, CLASSES], { p: 8 }).init();
    await refuses(
      () => certify.certifyMargin(net, x),
      'certifyMargin: p is 8, expected Infinity; call model.power.set(Infinity)',
      'RangeError',
    );
    await refuses(
      () => certify.certifyBounds(net, x, { labels: y, eps: 0.1 }),
      'intervalBounds: LinfDistLinear has p 8, expected Infinity; call model.power.set(Infinity)',
      'RangeError',
    );
  });
});

describe('infinity during training without a schedule', () => {
  const message =
    'DistancePower: p is Infinity in training, expected a finite p and linfSchedule(), or power.set(Infinity) before';
  const nets: [string, () => nn.Sequential][] = [
    ['linfDistMlp', () => nn.linfDistMlp([16, 5, CLASSES])],
    ['sortNet', () => nn.sortNet([16, 5, CLASSES])],
    ['sortNet that keeps all', () => nn.sortNet([16, 5, CLASSES], { keep: 1 })],
    ['linfDistConv2d', () => nn.Sequential(nn.LinfDistConv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, CLASSES))],
  ];
  test.each(nets)('%s', async (_, make) => {
    using net = make();
    const loss = linfMargin({ epsTrain: 0.1 });
    const train = (): Promise<unknown> => fit(net, data, { loss, optimizer: adam({ lr: 0.01 }), epochs: 1 });
    await refuses(train, message, 'RangeError');
    // Set on purpose it trains.
    if (net instanceof nn.LinfDistNet) {
      net.power.set(Infinity);
      await train();
    }
    loss.dispose();
  });
  test('schedules and losses of these nets', () => {
    const base = { pStartEpoch: 0, pEndEpoch: 1, lambda: 1, lambdaEnd: 0.1 };
    expect(() => linfSchedule({ ...base, lambdaEnd: 0 })).toThrow(
      'linfSchedule: lambdaEnd is 0, expected a number above 0: lambda falls by a constant factor a step',
    );
    expect(() => linfSchedule({ ...base, lambda: NaN })).toThrow(
      'linfSchedule: lambda is NaN, expected a finite number >= 0',
    );
    for (const epsTrain of [0, -1, NaN, Infinity]) {
      expect(() => linfMargin({ epsTrain })).toThrow(
        `linfMargin: epsTrain is ${epsTrain}, expected a finite number > 0`,
      );
      expect(() => linfHinge({ epsTrain })).toThrow(`linfHinge: epsTrain is ${epsTrain}, expected a finite number > 0`);
    }
  });
});

describe('inputs outside the declared pixel box', () => {
  const wide = new NdArray(
    x.data.map((v, i) => (i === 37 ? 1.25 : v)),
    x.shape,
  );
  const odd = new NdArray(
    x.data.map((v, i) => (i === 37 ? NaN : v)),
    x.shape,
  );
  const on =
    (of: NdArray<Float32Array>, run: (x: Tensor, y: Tensor<'i32'>) => Promise<Tensor>) => async (): Promise<void> => {
      const [images, labels] = [tensor(of), tensor(y, { dtype: 'i32' })];
      try {
        (await run(images, labels)).dispose();
      } finally {
        images.dispose();
        labels.dispose();
      }
    };
  const told = (what: string): RegExp => new RegExp(`^${what} (1.25|NaN)(,| in row 2,) outside the box \\[0,1\\]`);
  const methods: [string, RegExp, (of: NdArray<Float32Array>) => () => unknown][] = [
    ['fgsm', told('pgd: x is'), (of) => on(of, (a, b) => fgsm(model, a, b, { eps: 0.1 }))],
    ['pgd', told('pgd: x is'), (of) => on(of, (a, b) => pgd(model, a, b, { eps: 0.1 }))],
    ['apgd', told('apgd: x is'), (of) => on(of, (a, b) => apgd(model, a, b, { eps: 0.1 }))],
    ['squareAttack', told('squareAttack: x is'), (of) => on(of, (a, b) => squareAttack(model, a, b, { eps: 0.1 }))],
    [
      'evaluateRobustness',
      told('evaluateRobustness: image 2 has a pixel'),
      (of) => () => evaluateRobustness(model, of, y, { eps: 0.1 }),
    ],
    [
      'certifyBounds',
      told('certifyBounds: x is'),
      (of) => () => certify.certifyBounds(model, of, { labels: y, eps: 0.1 }),
    ],
    ...[
      objectivesEntry.smoothMix({ sigma: 0.3, steps: 1 }),
      objectivesEntry.smoothAdv({ sigma: 0.3, steps: 1 }),
      objectivesEntry.consistency({ sigma: 0.3, adversary: { eps: 0.1 } }),
    ].map((objective, i): [string, RegExp, (of: NdArray<Float32Array>) => () => unknown] => [
      `fit with ${['smoothMix', 'smoothAdv', 'consistency under attack'][i]}`,
      /^(fit: x is 1.25 in row 2, outside the box \[0,1\] of the objective|makeDataset: x is NaN in example 2, expected finite numbers)/,
      (of) => () =>
        fit(model, makeDataset(of, y, { numClasses: CLASSES }), { objective, optimizer: sgd({ lr: 0.1 }), epochs: 1 }),
    ]),
  ];
  test.each(methods)('%s', async (_, message, run) => {
    for (const of of [wide, odd]) await expect(Promise.resolve().then(run(of))).rejects.toThrow(message);
  });
  test('not finite, where no box is declared', async () => {
    using net = nn.linfDistMlp([16, CLASSES]).init();
    await refuses(
      () => certify.certifyMargin(net, odd),
      'certifyMargin: x is NaN in row 2, outside the finite numbers',
      'RangeError',
    );
    await refuses(
      () => certify.certifyBounds(model, odd, { labels: y, eps: 0.1, clip: null }),
      'certifyBounds: x is NaN in row 2, outside the finite numbers',
      'RangeError',
    );
    await refuses(
      () => onSmooth((s) => s.certify(odd, { n: 50 })),
      'Smooth.certify: x has values that are not finite',
      'RangeError',
    );
  });
  test('a box, a norm or a method that is none', async () => {
    for (const clip of [
      [1, 0],
      [0, 0],
      [0, NaN],
      [-Infinity, 1],
    ] as const) {
      const box = `is [${clip}], expected two finite numbers, the lower one first`;
      await refuses(() => objectivesEntry.smoothMix({ sigma: 1, box: clip }), `smoothMix: box ${box}`, 'RangeError');
      await refuses(() => objectivesEntry.smoothAdv({ sigma: 1, box: clip }), `smoothAdv: box ${box}`, 'RangeError');
      await refuses(
        () => certify.certifyBounds(model, x, { labels: y, eps: 0.1, clip }),
        `certifyBounds: clip ${box}`,
        'RangeError',
      );
      await refuses(() => attack((a, b) => pgd(model, a, b, { eps: 0.1, clip })), `pgd: clip ${box}`, 'RangeError');
      await refuses(
        () => evaluateRobustness(model, x, y, { eps: 0.1, clip }),
        `evaluateRobustness: clip ${box}`,
        'RangeError',
      );
    }
    const norm = 'l1' as 'l2';
    await refuses(
      () => attack((a, b) => pgd(model, a, b, { eps: 0.1, norm })),
      "pgd: norm is 'l1', expected 'linf' or 'l2'",
      'RangeError',
    );
    await refuses(
      () => attack((a, b) => apgd(model, a, b, { eps: 0.1, norm })),
      "apgd: norm is 'l1', expected 'linf' or 'l2'",
      'RangeError',
    );
    await refuses(
      () => evaluateRobustness(model, x, y, { eps: 0.1, norm }),
      "evaluateRobustness: norm is 'l1', expected 'linf' or 'l2'",
      'RangeError',
    );
    await refuses(
      () => certify.certifyBounds(model, x, { labels: y, eps: 0.1, method: 'lp' as 'ibp' }),
      "certifyBounds: method is 'lp', expected 'ibp', 'crown-ibp' or 'crown'",
      'RangeError',
    );
  });
});

describe('a resume file of another run', () => {
  test('is refused before a row is added, and what it held stays whole', async () => {
    const { rows, text } = (await onSmooth(async (s) => {
      let table = certify.parseCertificates('').text;
      for await (const { line, done } of certify.certifyDataset(s, data, { n0: 10, n: 50, concurrency: 2 })) {
        table += line;
        if (done === 4) break;
      }
      return certify.parseCertificates(table);
    })) as ReturnType<typeof certify.parseCertificates>;
    const kept = structuredClone(rows);
    using other = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES)).init({ seed: 9 });
    const cases: [() => unknown, string, string][] = [
      [
        () => onSmooth((s) => all(s, { resumeFrom: rows }), other),
        'it is of another model, data set, seed, sigma, n0, n, alpha or adapter',
        'Error',
      ],
      [
        () => onSmooth((s) => all(s, { resumeFrom: rows, n: 60 })),
        'it is of another model, data set, seed, sigma, n0, n, alpha or adapter',
        'Error',
      ],
      [
        () => onSmooth((s) => all(s, { resumeFrom: rows, indices: [3, 2, 1, 0] })),
        'certifyDataset: row 1 of resumeFrom is input 0, expected 3: it is of another run',
        'RangeError',
      ],
      [
        () => onSmooth((s) => all(s, { resumeFrom: rows, indices: [0] })),
        'certifyDataset: resumeFrom has 4 rows, the run 1: it is of another run',
        'RangeError',
      ],
      [
        () => onSmooth((s) => all(s, { resumeFrom: rows }, { x, y: y.map((v) => (v + 1) % 3) })),
        'certifyDataset: resumeFrom has label 0 for input 0, the data 1: it is of another data set',
        'RangeError',
      ],
    ];
    for (const [run, message, kind] of cases) await refuses(run, message, kind);
    expect(rows).toEqual(kept);
    // The same run goes on from it.
    const rest = (await onSmooth((s) => all(s, { resumeFrom: rows }))) as certify.CertificateRow[];
    expect([...rows, ...rest].map((r) => r.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(text.split('\n').length).toBe(6);
  });
  test.each([
    ['a,b\n', 'parseCertificates: line 1 is "a,b", expected the header'],
    ['idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\tcat\t0.5\t1\t0:00:01\n', 'parseCertificates: line 2 is'],
  ])('a file that is no table %#', async (text, message) => {
    await refuses(() => certify.parseCertificates(text), message, 'SyntaxError');
  });
});

test('labels that an earlier call left outside the classes are not blamed on the next fit', async () => {
  scope(() => void crossEntropy(tensor([0, 1], { shape: [1, 2] }), tensor([7], { dtype: 'i32' })));
  const loss = crossEntropyLoss();
  await fit(model, data, { loss, optimizer: sgd({ lr: 0.01 }), epochs: 1 });
  loss.dispose();
});
