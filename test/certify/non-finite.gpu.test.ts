import * as objectives from 'evenkeel/objectives';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NdArray, scope, tensor, type Tensor } from 'evenkeel';
import * as attacks from 'evenkeel/attack';
import * as certify from 'evenkeel/certify';
import * as metrics from 'evenkeel/metrics';
import * as nn from 'evenkeel/nn';
import { add } from 'evenkeel/ops';
import { hostUniform, key } from 'evenkeel/random';
import { certifiedRadius } from 'evenkeel/stats';
import { atRadius, certifyOne, each, inputSpecific, predictOne, staged, type Counts } from '../support/certify.ts';

/*
 * A row of logits with a NaN, or with an infinity that two share as the largest, has no class: it is no vote, no
 * certificate, no success of an attack and no right answer. Every certifier, attack and metric on models that give such
 * rows.
 */

const [COUNT, SIZE, CLASSES] = [6, 4, 3];
const [N, P, M] = [NaN, Infinity, -Infinity];
const x = new NdArray(hostUniform(COUNT, SIZE, key(3)), [COUNT, SIZE]);
const y = [0, 1, 2, 0, 1, 2];
const { Smooth, ABSTAIN } = certify;

/** Logits [0, 4, 0] but for a little slope, so that a sound model certifies class 1 everywhere. */
const linearNet = (): nn.Sequential => {
  const net = nn.Sequential(nn.Linear(SIZE, CLASSES)).init();
  net.parameters.get('0.weight')!.write(hostUniform(1, SIZE * CLASSES, key(4), { low: -0.1, high: 0.1 }));
  net.parameters.get('0.bias')!.write([0, 4, 0]);
  return net;
};
let sound: nn.Sequential;
/** The name of a model whose weights are not finite, and what was written into it. */
const BROKEN: [name: string, write: (net: nn.Sequential) => unknown, at: string][] = [
  [
    'all weights NaN',
    (net) => {
      for (const p of net.parameters.values()) p.write(new Float32Array(p.size).fill(N));
    },
    '0.weight',
  ],
  ['one weight NaN', (net) => net.parameters.get('0.weight')!.write([N, ...new Float32Array(11)]), '0.weight'],
  ['one bias NaN', (net) => net.parameters.get('0.bias')!.write([0, 4, N]), '0.bias'],
  ['one bias infinite', (net) => net.parameters.get('0.bias')!.write([0, P, 0]), '0.bias'],
];
/** What is added to the logits of the sound model; no row has a class then. */
const LOST: [name: string, added: number[]][] = [
  ['NaN in every logit', [N, N, N]],
  ['NaN in the first logit', [N, 0, 0]],
  ['NaN in the last logit', [0, 0, N]],
  ['NaN in the largest', [0, N, 0]],
  ['two logits +Infinity', [P, 0, P]],
  ['all logits +Infinity', [P, P, P]],
  ['all logits -Infinity', [M, M, M]],
  ['+Infinity, NaN and -Infinity', [P, N, M]],
];
const plus = (added: number[]): certify.BaseClassifier => ({
  forward: (t: Tensor) => add(sound.forward(t), tensor(added)),
});

beforeAll(() => {
  sound = linearNet();
});
afterAll(() => sound.dispose());

async function inSmooth<T>(
  model: certify.BaseClassifier,
  run: (smooth: certify.Smooth) => Promise<T>,
  sigma = 0.25,
): Promise<T> {
  using smooth = new Smooth(model, { numClasses: CLASSES, sigma });
  return await run(smooth);
}
async function rowsOf(smooth: certify.Smooth): Promise<certify.CertificateRow[]> {
  const rows: certify.CertificateRow[] = [];
  for await (const { row } of certify.certifyDataset(smooth, { x, y }, { n0: 20, n: 100 })) rows.push(row);
  return rows;
}

/** Every certifier by sampling; each says whether it certified anything. */
const SAMPLERS: [name: string, certified: (model: certify.BaseClassifier) => Promise<boolean>][] = [
  ['Smooth.certify', (m) => inSmooth(m, async (s) => (await certifyOne(s, x.at(0), { n: 100 })).label !== ABSTAIN)],
  [
    'Smooth.certify',
    (m) =>
      inSmooth(m, async (s) =>
        each(await s.certify(x, { n: 100 })).some(({ label, radius }) => label !== ABSTAIN || radius > 0),
      ),
  ],
  ['Smooth.predict', (m) => inSmooth(m, async (s) => (await predictOne(s, x.at(0), { n: 100 })) !== ABSTAIN)],
  ['Smooth.count', (m) => inSmooth(m, async (s) => (await s.count(x, { n: 100 })).data.some((c) => c > 0))],
  [
    'certifyDataset',
    (m) =>
      inSmooth(m, async (s) =>
        (await rowsOf(s)).some(({ predict, radius, correct }) => predict !== ABSTAIN || radius > 0 || correct),
      ),
  ],
  [
    'certifyAtRadius',
    (m) =>
      inSmooth(m, async (s) => {
        const all = each(await certify.certifyAtRadius(s, x, { radius: 0.1, maxSamples: 300 }));
        return all.some(
          (c) => c.decision === 'certified' || c.label !== ABSTAIN || c.selected !== ABSTAIN || c.radius > 0,
        );
      }),
  ],
  [
    'certifyStaged',
    (m) =>
      inSmooth(m, async (s) => {
        const all = each(await certify.certifyStaged(s, x, { radius: 0.1, stages: [100, 200] }));
        return all.some(
          (c) => c.decision === 'certified' || c.label !== ABSTAIN || c.selected !== ABSTAIN || c.radius > 0,
        );
      }),
  ],
  [
    'certifyInputSpecific',
    (m) =>
      inSmooth(m, async (s) => {
        const all = each(await certify.certifyInputSpecific(s, x, { decline: 0.1, maxSamples: 300 }));
        return all.some(({ label, radius }) => label !== ABSTAIN || radius > 0);
      }),
  ],
  [
    'Smooth.certify of an ensemble',
    (m) =>
      inSmooth(certify.ensemble([sound, m]), async (s) => (await certifyOne(s, x.at(0), { n: 100 })).label !== ABSTAIN),
  ],
  [
    'smoothedPredictions',
    async (m) => {
      using shares = await certify.smoothedPredictions(m, x, { numClasses: CLASSES, sigma: 0.25, n: 10 });
      return (await shares.read()).some((v) => v > 0);
    },
  ],
];

describe.each(SAMPLERS)('%s', (_, certified) => {
  test('certifies the sound model', async () => expect(await certified(sound)).toBe(true));
  test.each(LOST)('%s: no certificate', async (_, added) => expect(await certified(plus(added))).toBe(false));
  test.each(BROKEN)('%s: refused by name', async (_, write, at) => {
    using net = linearNet();
    write(net);
    await expect(certified(net)).rejects.toThrow(
      new RegExp(`${at} of the model has values that are NaN or infinite, expected finite weights`),
    );
  });
});

test('weights are looked at again once they were written', async () => {
  using net = linearNet();
  using smooth = new Smooth(net, { numClasses: CLASSES, sigma: 0.25 });
  expect((await certifyOne(smooth, x.at(0), { n: 100 })).label).toBe(1);
  net.parameters.get('0.bias')!.write([0, N, 0]);
  await expect(certifyOne(smooth, x.at(0), { n: 100 })).rejects.toThrow(
    'Smooth: 0.bias of the model has values that are NaN or infinite',
  );
  net.parameters.get('0.bias')!.write([0, 4, 0]);
  expect((await certifyOne(smooth, x.at(0), { n: 100 })).label).toBe(1);
});

test('running statistics count as weights', async () => {
  using net = nn.Sequential(nn.BatchNorm(SIZE), nn.Linear(SIZE, CLASSES)).init();
  (net.namedBuffers.get('0.running_var') as Tensor).write([1, 1, N, 1]);
  await expect(certify.certifyBounds(net, x, { labels: y, eps: 0.01 })).rejects.toThrow(
    'certifyBounds: 0.running_var of the model has values that are NaN or infinite',
  );
});

describe('votes for no class count among n', () => {
  /** The sound classifier with NaN in some rows of each batch. */
  const losing = (isLost: (row: number) => boolean): certify.BaseClassifier => ({
    forward: (t) => {
      const rows = t.shape[0]!;
      const lost = Array.from({ length: rows }, (_, row) => (isLost(row) ? N : 0));
      return add(sound.forward(t), tensor(lost, { shape: [rows, 1] }));
    },
  });
  test('a fifth of the copies lost lowers the bound', async () => {
    // Class 1 wins everywhere, but 4 of 20 rows of a batch are NaN.
    await inSmooth(
      losing((row) => row % 5 === 0),
      async (s) => {
        const { label, counts, pLower, radius } = await certifyOne(s, x.at(0), { n: 1000, batchSize: 100 });
        expect([label, ...counts]).toEqual([1, 0, 800, 0]);
        expect(pLower).toBeLessThan(0.8);
        expect(radius).toBe(certifiedRadius(pLower, 0.25));
        expect(await predictOne(s, x.at(0), { n: 1000, batchSize: 100 })).toBe(1);
      },
    );
  });
  test('PREDICT abstains where most copies have no class', async () => {
    await inSmooth(
      losing((row) => row % 5 !== 0),
      async (s) => expect(await predictOne(s, x.at(0), { n: 1000, batchSize: 100 })).toBe(ABSTAIN),
    );
  });
});

describe('sigma in f32', () => {
  test.each([1e-46, 1e-40, 2 ** -127, 3.5e38, 1e300])('%d is refused', async (sigma) => {
    const message = new RegExp(
      `: sigma is ${String(sigma).replace('+', '\\+')}, in f32 .*; expected a number from 2\\^-126 to 3.4e38`,
    );
    const undrawn: Counts = () => Promise.reject(new Error('drawn'));
    expect(() => new Smooth(sound, { numClasses: CLASSES, sigma })).toThrow(message);
    await expect(atRadius(undrawn, { sigma, radius: 0 })).rejects.toThrow(message);
    await expect(staged(undrawn, { sigma, radius: 0 })).rejects.toThrow(message);
    await expect(inputSpecific(undrawn, { sigma, decline: 1 })).rejects.toThrow(message);
    await expect(certify.smoothedPredictions(sound, x, { numClasses: CLASSES, sigma, n: 1 })).rejects.toThrow(message);
    for (const make of [
      objectives.gaussian,
      objectives.stability,
      objectives.smoothAdv,
      objectives.macer,
      objectives.consistency,
      objectives.smoothMix,
    ])
      expect(() => make({ sigma })).toThrow(message);
  });
  test.each([0.12, 0.3, 0.7])('the radius is of the deviation that the noise has: %d', async (sigma) => {
    const onDevice = Math.fround(sigma);
    await inSmooth(
      sound,
      async (s) => {
        const { radius, pLower } = await certifyOne(s, x.at(0), { n: 100 });
        expect(radius).toBe(certifiedRadius(pLower, onDevice));
        const inStages = await certify.certifyStaged(s, x.slice(0, 1), { radius: 0.01, stages: [100] });
        expect(inStages.radii[0]).toBe(certifiedRadius(pLower, onDevice));
        const specific = await certify.certifyInputSpecific(s, x.slice(0, 1), { decline: 10, maxSamples: 100 });
        expect(specific.radii[0]).toBe(certifiedRadius(specific.pLower[0]!, onDevice));
      },
      sigma,
    );
  });
});

describe('bounds', () => {
  const METHODS = ['ibp', 'crown-ibp', 'crown'] as const;
  test.each(METHODS)('%s: weights that are not finite are refused by name', async (method) => {
    for (const [, write, at] of BROKEN) {
      using net = linearNet();
      write(net);
      await expect(certify.certifyBounds(net, x, { labels: y, eps: 0.01, method })).rejects.toThrow(
        `certifyBounds: ${at} of the model has values that are NaN or infinite`,
      );
    }
  });
  const layers: [string, () => nn.Layer[]][] = [
    ['linear, relu, linear', () => [nn.Linear(SIZE, 5), nn.ReLU(), nn.Linear(5, CLASSES)]],
    ['linear, linear, relu', () => [nn.Linear(SIZE, 5), nn.Linear(5, CLASSES), nn.ReLU()]],
  ];
  test.each(layers)('%s: weights that overflow certify nothing', async (_, make) => {
    for (const method of METHODS) {
      for (const size of [3e38, 1e30, 1e25]) {
        using net = nn.Sequential(...make()).init();
        for (const p of net.parameters.values())
          p.write(Float32Array.from({ length: p.size }, (_, i) => (i % 2 ? size : -size)));
        const { labels, radii, margins } = await certify.certifyBounds(net, x, { labels: y, eps: 0.3, method });
        expect([...labels, ...radii]).toEqual([...new Array(COUNT).fill(ABSTAIN), ...new Array(COUNT).fill(0)]);
        expect(margins.some((m) => Number.isNaN(m) || m === Infinity)).toBe(false);
      }
    }
  });
  test('other layers: bounds of what overflows or is NaN say nothing, and hold no NaN', async () => {
    const kinds: (() => nn.Layer)[] = [
      () => nn.ReLU(),
      () => nn.Sigmoid(),
      () => nn.Tanh(),
      () => nn.SiLU(),
      () => nn.GELU(),
      () => nn.Softplus(),
      () => nn.ELU(),
      () => nn.LeakyReLU(),
      () => nn.LayerNorm(SIZE),
      () => nn.BatchNorm(SIZE),
      () => nn.Linear(SIZE, 3),
      () => nn.CosineLinear(SIZE, 3),
    ];
    for (const make of kinds) {
      using net = nn.Sequential(make()).init();
      const rows: [number[], number[]][] = [
        [
          [N, 0, 0, 0],
          [1, 1, 1, 1],
        ],
        [
          [0, 0, 0, 0],
          [1, N, 1, 1],
        ],
        [
          [M, 0, 0, 0],
          [P, 1, 1, 1],
        ],
        [
          [M, M, M, M],
          [1, 1, 1, 1],
        ],
        [
          [0, 0, 0, 0],
          [P, P, P, P],
        ],
        [
          [-3e38, 0, 0, 0],
          [3e38, 1, 1, 1],
        ],
      ];
      for (const [low, high] of rows) {
        using lower = tensor(low, { shape: [1, SIZE] });
        using upper = tensor(high, { shape: [1, SIZE] });
        const found = scope(() => certify.intervalBounds(net, { lower, upper }));
        const [a, b] = [await found.lower.read(), await found.upper.read()];
        using point = tensor([0.5, 0.25, 0.75, 0.5], { shape: [1, SIZE] });
        using inside = scope(() => net.forward(point, { training: false }));
        using _a = found.lower;
        using _b = found.upper;
        (await inside.read()).forEach((v, j) =>
          expect(a[j]! <= v && v <= b[j]!, `${net.layers[0]!.kind}: ${a[j]} <= ${v} <= ${b[j]}`).toBe(true),
        );
      }
    }
  });
  test('boxAround refuses a radius that is NaN, and knows nothing of a NaN', async () => {
    using at = tensor([N, 0.5], { shape: [1, 2] });
    for (const eps of [N, P, -1])
      expect(() => certify.boxAround(at, { eps })).toThrow(`boxAround: eps is ${eps}, expected a finite number >= 0`);
    const { lower, upper } = scope(() => certify.boxAround(at, { eps: 0.25 }));
    expect((await lower.read())[0]).toBe(0);
    expect((await upper.read())[0]).toBe(1);
    lower.dispose();
    upper.dispose();
  });
});

describe('distance nets', () => {
  test('weights that are not finite are refused, outputs that overflow have no radius', async () => {
    using net = nn.linfDistMlp([SIZE, 5, CLASSES]).init();
    net.power.set(Infinity);
    const [[name, first]] = [...net.parameters] as [[string, Tensor]];
    first.write(new Float32Array(first.size).fill(N));
    await expect(certify.certifyMargin(net, x)).rejects.toThrow(
      `certifyMargin: ${name} of the model has values that are NaN or infinite`,
    );
    for (const size of [3.4e38, 1e38]) {
      for (const p of net.parameters.values())
        p.write(Float32Array.from({ length: p.size }, (_, i) => (i % 2 ? size : -size)));
      const { radii } = await certify.certifyMargin(net, x);
      expect(Array.from(radii)).toEqual(new Array(COUNT).fill(0));
    }
  });
});

describe('attacks', () => {
  type Attack = (model: attacks.AttackedModel, on: Tensor, labels: Tensor<'i32'>) => Promise<Tensor>;
  const ATTACKS: [string, Attack][] = [
    ['fgsm', (m, on, of) => attacks.fgsm(m, on, of, { eps: 0.1 })],
    ['pgd', (m, on, of) => attacks.pgd(m, on, of, { eps: 0.1, steps: 3 })],
    ['pgd, l2, two starts', (m, on, of) => attacks.pgd(m, on, of, { eps: 0.1, steps: 3, norm: 'l2', restarts: 2 })],
    ['pgd, targeted', (m, on, of) => attacks.pgd(m, on, of, { eps: 0.1, steps: 3, targeted: true })],
    ...(['ce', 'dlr', 'ce-targeted'] as const).map((loss): [string, Attack] => [
      `apgd, ${loss}`,
      (m, on, of) => attacks.apgd(m, on, of, { eps: 0.1, steps: 4, loss }),
    ]),
    ['apgd, l2', (m, on, of) => attacks.apgd(m, on, of, { eps: 0.1, steps: 4, norm: 'l2' })],
    ['squareAttack', (m, on, of) => attacks.squareAttack(m, on, of, { eps: 0.1, queries: 5 })],
  ];
  const run = async (attack: Attack, model: attacks.AttackedModel): Promise<Float32Array> => {
    using on = tensor(x);
    using of = tensor(y, { dtype: 'i32' });
    using found = await attack(model, on, of);
    return await found.read();
  };
  describe.each(ATTACKS)('%s', (name, attack) => {
    test('finds points for the sound model', async () =>
      expect((await run(attack, sound)).every(Number.isFinite)).toBe(true));
    test.each(LOST)('%s: said in words', async (_, added) => {
      const error: unknown = await run(attack, plus(added)).then(
        () => null,
        (e: unknown) => e,
      );
      expect(String(error)).toMatch(
        new RegExp(
          `^NonFiniteError: ${name === 'squareAttack' ? name : name.startsWith('apgd') ? 'apgd' : 'pgd'}: ` +
            'the model gives sample 0, or a point of its ball, outputs or a gradient',
        ),
      );
    });
    test('weights NaN: said in words', async () => {
      using net = linearNet();
      BROKEN[0]![1](net);
      await expect(run(attack, net)).rejects.toThrow('outputs or a gradient that are NaN or infinite');
    });
  });
  test('a success is not lost where the wrong logit is infinite', async () => {
    const wrong: attacks.AttackedModel = { forward: (t) => add(sound.forward(t), tensor([P, 0, 0])) };
    using on = tensor([0.5, 0.5, 0.5, 0.5], { shape: [1, SIZE] });
    using of = tensor([1], { dtype: 'i32' });
    for (const attack of [attacks.pgd, attacks.apgd]) {
      using found = await attack(wrong, on, of, { eps: 0.1, steps: 2 });
      expect((await found.read()).every(Number.isFinite)).toBe(true);
    }
    using found = await attacks.squareAttack(wrong, on, of, { eps: 0.1, queries: 3 });
    expect(Array.from(await found.read())).toEqual([0.5, 0.5, 0.5, 0.5]);
  });
  test.each(LOST)('evaluateRobustness, %s: misclassified, never broken', async (_, added) => {
    const report = await attacks.evaluateRobustness(plus(added), x, y, { eps: 0.1, steps: 3, queries: 5 });
    expect([report.cleanAccuracy, report.robustAccuracy]).toEqual([0, 0]);
    expect(report.attacks.every(({ attacked, broken }) => attacked === 0 && broken === 0)).toBe(true);
    expect(
      report.images.every(
        ({ predicted, attackedAs, brokenBy }) => predicted === -1 && attackedAs === -1 && brokenBy === 'clean',
      ),
    ).toBe(true);
    expect(report.warnings).toContain(
      'the model gives 6 images no class, its outputs hold a NaN or an infinity twice: they count as misclassified',
    );
    const certified = new Array<boolean>(COUNT).fill(true);
    await expect(attacks.evaluateRobustness(plus(added), x, y, { eps: 0.1, certified })).rejects.toThrow(
      'image 0 is certified for class 0, yet the model gives it no class',
    );
  });
  test('a point where the model has no class is no success of an attack', async () => {
    const nan = (t: Tensor): Tensor =>
      add(
        sound.forward(t),
        tensor(
          Array.from({ length: t.shape[0]! }, () => N),
          { shape: [t.shape[0]!, 1] },
        ),
      );
    let calls = 0;
    // Clean images twice, then the point of the attack.
    const model: attacks.AttackedModel = { forward: (t) => (++calls <= 2 ? sound.forward(t) : nan(t)) };
    const own: attacks.NamedAttack = { name: 'own', run: async (_, on) => add(on, 0) };
    await expect(
      attacks.evaluateRobustness(model, x, new Array(COUNT).fill(1), { eps: 0.1, attacks: [own] }),
    ).rejects.toThrow('own moved image 0 to where the model gives no class');
  });
});

describe('metrics', () => {
  const good = [
    [0.2, 0.5, 0.3],
    [0.1, 0.8, 0.1],
    [0.3, 0.3, 0.4],
  ];
  const of = [1, 1, 2];
  const groups = [0, 1, 0];
  /** Metrics of scores, and those of probabilities. */
  const METRICS: [string, (scores: number[][]) => unknown][] = [
    ['accuracy', (s) => metrics.accuracy(s, of)],
    ['perClassAccuracy', (s) => metrics.perClassAccuracy(s, of)],
    ['balancedAccuracy', (s) => metrics.balancedAccuracy(s, of)],
    ['balancedError', (s) => metrics.balancedError(s, of)],
    ['confusionMatrix', (s) => metrics.confusionMatrix(s, of)],
    ['classReport', (s) => metrics.classReport(s, of)],
    ['macroF1', (s) => metrics.macroF1(s, of)],
    ['gMean', (s) => metrics.gMean(s, of)],
    ['worstClass', (s) => metrics.worstClass(s, of)],
    ['shotAccuracy', (s) => metrics.shotAccuracy(s, of, { classCounts: [200, 50, 5] })],
    ['groupAccuracy', (s) => metrics.groupAccuracy(s, of, groups)],
    ['groupBalancedError', (s) => metrics.groupBalancedError(s, of, groups)],
    ['worstGroup', (s) => metrics.worstGroup(s, of, groups)],
    ['equalOpportunityDifference', (s) => metrics.equalOpportunityDifference(s, of, groups)],
    ['splitAccuracy', (s) => metrics.splitAccuracy(s, of, of)],
    ['argmaxRows', (s) => metrics.argmaxRows(s)],
    ['areaUnderMargin', (s) => metrics.areaUnderMargin(3).update(s, of)],
    ['aurc', (s) => metrics.aurc(s, of)],
    ['riskCoverage', (s) => metrics.riskCoverage(s, of)],
    ['nll', (s) => metrics.nll(s, of)],
    ['brierScore', (s) => metrics.brierScore(s, of)],
    ['brierDecomposition', (s) => metrics.brierDecomposition(s, of)],
    ['calibrationError', (s) => metrics.calibrationError(s, of)],
    ['classwiseCalibrationError', (s) => metrics.classwiseCalibrationError(s, of)],
    ['perClassCalibrationError', (s) => metrics.perClassCalibrationError(s, of)],
    ['reliabilityDiagram', (s) => metrics.reliabilityDiagram(s, of)],
    ['confidentJoint', (s) => metrics.confidentJoint(s, of)],
    ['ksError', (s) => metrics.ksError(s, of)],
    ['overconfidence', (s) => metrics.overconfidence(s, of)],
    ['confidenceAuroc', (s) => metrics.confidenceAuroc(s, of)],
    ['bootstrapInterval', (s) => metrics.bootstrapInterval(metrics.accuracy, s, of, { resamples: 20 })],
  ];
  test('the table holds every metric that takes scores', () => {
    const others = ['averageCertifiedRadius', 'certifiedAccuracy', 'certifiedAccuracyHighProb', 'forgetting'];
    expect(Object.keys(metrics).sort()).toEqual([...METRICS.map(([name]) => name), ...others].sort());
  });
  test.each(METRICS)('%s names the row without a class', (name, run) => {
    run(good);
    for (const [kind, added] of LOST) {
      const scores = [good[0]!, good[1]!.map((v, c) => v + added[c]!), good[2]!];
      expect(() => run(scores), `${name}: ${kind}`).toThrow(RangeError);
      expect(() => run(scores), `${name}: ${kind}`).toThrow(/row 1\b|sum to|is -?Infinity at row 1/);
    }
  });
  test('radii and flags that are none', () => {
    for (const run of [
      (r: number[]) => metrics.averageCertifiedRadius(r, [1, 1]),
      (r: number[]) => metrics.certifiedAccuracy(r, [1, 1], [0]),
      (r: number[]) => metrics.certifiedAccuracyHighProb(r, [1, 1], [0]),
    ]) {
      run([0, 1]);
      for (const r of [N, P, M, -1]) expect(() => run([0, r])).toThrow(`radii[1] is ${r}`);
    }
    for (const flag of [N, 2, -1, 0.5]) {
      expect(() => metrics.averageCertifiedRadius([1], [flag])).toThrow(
        `averageCertifiedRadius: correct[0] is ${flag}, expected true, false, 1 or 0`,
      );
      expect(() => metrics.forgetting(1).update([flag])).toThrow(
        `forgetting: correct[0] is ${flag}, expected true, false, 1 or 0`,
      );
    }
  });
});

describe('tables', () => {
  const row = { index: 0, label: 1, predict: 1, radius: 0.5, correct: true, seconds: 1 };
  const HEADER = 'idx\tlabel\tpredict\tradius\tcorrect\ttime\n';
  test.each([
    [{ radius: N }, 'radius is NaN'],
    [{ radius: P }, 'radius is Infinity'],
    [{ radius: -1 }, 'radius is -1'],
    [{ predict: -1, correct: false }, 'radius is 0.5 on an abstention'],
    [{ predict: 0 }, 'correct is 1 for prediction 0 and label 1'],
    [{ correct: false }, 'correct is 0 for prediction 1'],
    [{ label: -1, predict: -1, radius: 0 }, 'correct is 1 for prediction -1 and label -1'],
  ])('a row that no certifier gives is not written: %o', (change, message) => {
    expect(() => certify.formatCertificate({ ...row, ...change })).toThrow(message);
  });
  test.each([
    ['0\t1\t1\t1e400\t1\t0:00:01', 'radius is Infinity'],
    ['0\t1\t-1\t0.5\t0\t0:00:01', 'on an abstention'],
    ['0\t1\t2\t0.5\t1\t0:00:01', 'correct is 1 for prediction 2'],
  ])('nor read: %s', (line, message) => {
    expect(() => certify.parseCertificates(`${HEADER}${line}\n`)).toThrow(`parseCertificates: line 2: `);
    expect(() => certify.parseCertificates(`${HEADER}${line}\n`)).toThrow(message);
  });
  test('labels of a data set are classes, so that no abstention is right', async () => {
    await inSmooth(sound, async (s) => {
      for (const label of [-1, N, 0.5]) {
        const rows = certify.certifyDataset(s, { x, y: [label, 1, 2, 0, 1, 2] }, { n: 100 });
        await expect(rows.next()).rejects.toThrow(`certifyDataset: y[0] is ${label}, expected a class`);
      }
    });
  });
});
