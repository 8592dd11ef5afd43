import { describe, expect, test } from 'vitest';
import { NdArray, type Tensor } from 'evenkeel';
import { evaluateRobustness, pgd, type AttackedModel, type NamedAttack, type RobustnessOptions } from 'evenkeel/attack';
import { Conv2d, Flatten, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { add, floor, mul, slice, softmax } from 'evenkeel/ops';
import { hostUniform, key } from 'evenkeel/random';
import { boundsOf } from '../support/certify.ts';
import { linearNet } from '../support/linear-net.ts';

const N = 24;
const IMAGES = new NdArray(hostUniform(N, 36, key(1)), [N, 1, 6, 6]);
const net = (): Sequential =>
  Sequential(Conv2d(1, 4, 3, { stride: 2 }), ReLU(), Flatten(), Linear(16, 5)).init({ seed: 3 });

/** The net's classes, with image 2 mislabelled. */
async function labelled(model: Sequential): Promise<number[]> {
  const z = await model.logits(IMAGES);
  return Array.from({ length: N }, (_, i) => {
    const row = Array.from(z.at(i).data);
    const top = row.indexOf(Math.max(...row));
    return i === 2 ? (top + 1) % 5 : top;
  });
}
const small = { steps: 8, queries: 40, numTargets: 2, batchSize: 10 };

describe('the cascade', () => {
  test('clean >= each attack >= certified on every image; points in the ball; a seed repeats', async () => {
    using model = net();
    const labels = await labelled(model);
    const eps = 0.03;
    const { certified } = await boundsOf(model, IMAGES, { labels, eps, method: 'crown' });
    expect(certified.filter(Boolean).length).toBeGreaterThan(2);
    const seen: string[] = [];
    const options: RobustnessOptions = {
      eps,
      certified,
      attacks: ['pgd', 'apgd-ce', 'apgd-dlr', 'apgd-t', 'square'],
      ...small,
      onAttack: ({ name }) => seen.push(name),
    };
    const report = await evaluateRobustness(model, IMAGES, labels, options);
    expect(report.cleanAccuracy).toBe(23 / 24);
    expect(seen).toEqual(['pgd', 'apgd-ce', 'apgd-dlr', 'apgd-t', 'square']);
    let [right, accuracy] = [23, report.cleanAccuracy];
    for (const a of report.attacks) {
      expect(a.attacked).toBe(right);
      right -= a.broken;
      expect(a.accuracy).toBe(right / N);
      expect(a.accuracy).toBeLessThanOrEqual(accuracy);
      accuracy = a.accuracy;
    }
    expect(report.robustAccuracy).toBe(accuracy);
    expect(report.robustAccuracy).toBeLessThan(report.cleanAccuracy);
    expect(report.certifiedAccuracy!).toBe(certified.filter(Boolean).length / N);
    expect(report.certifiedAccuracy!).toBeLessThanOrEqual(report.robustAccuracy);
    // The points say what the outcomes say.
    const z = await model.logits(report.adversarial);
    report.images.forEach((o, i) => {
      const row = Array.from(z.at(i).data);
      expect(row.indexOf(Math.max(...row))).toBe(o.attackedAs);
      expect(o.brokenBy === null).toBe(o.attackedAs === o.label);
      if (certified[i]) expect(o.brokenBy).toBeNull();
      const [point, image] = [report.adversarial.at(i).data, IMAGES.at(i).data];
      point.forEach((v, f) => expect(Math.abs(v - image[f]!)).toBeLessThanOrEqual(eps + 1e-6));
      if (o.brokenBy === null || o.brokenBy === 'clean') expect(point).toEqual(image);
    });
    expect(report.images[2]!.brokenBy).toBe('clean');
    const again = await evaluateRobustness(model, IMAGES, labels, options);
    expect(again).toEqual(report);
  });

  test('a certificate that an attack refutes is an error that names the image', async () => {
    using model = net();
    const labels = await labelled(model);
    const alone = (row: number): boolean[] => labels.map((_, i) => i === row);
    const { images } = await evaluateRobustness(model, IMAGES, labels, { eps: 0.2, attacks: ['apgd-ce'], ...small });
    const row = images.findIndex((o) => o.brokenBy === 'apgd-ce');
    await expect(
      evaluateRobustness(model, IMAGES, labels, { eps: 0.2, attacks: ['apgd-ce'], certified: alone(row), ...small }),
    ).rejects.toThrow(
      `evaluateRobustness: image ${row} is certified for class ${labels[row]}, yet apgd-ce found a point of ` +
        `class ${images[row]!.attackedAs}; the certificate is for a smaller ball, or unsound`,
    );
    await expect(
      evaluateRobustness(model, IMAGES, labels, { eps: 0, attacks: [], certified: alone(2) }),
    ).rejects.toThrow(
      `evaluateRobustness: image 2 is certified for class ${labels[2]}, yet the model gives it class ` +
        `${images[2]!.predicted}`,
    );
  });

  test('a linear classifier: the robust accuracy of the closed form, in both norms', async () => {
    const w = [1, -2, 0.5, 0.25, 1, -1];
    using model = linearNet(w);
    const x = new NdArray(hostUniform(50, 6, key(5), { low: -1, high: 1 }), [50, 6]);
    const scores = Array.from({ length: 50 }, (_, i) => w.reduce((t, v, f) => t + v * x.data[6 * i + f]!, 0));
    for (const norm of ['linf', 'l2'] as const) {
      const eps = norm === 'linf' ? 0.15 : 0.3;
      const dual = norm === 'linf' ? w.reduce((t, v) => t + Math.abs(v), 0) : Math.hypot(...w);
      const { robustAccuracy, attacks } = await evaluateRobustness(
        model,
        x,
        scores.map((s) => Number(s < 0)),
        { norm, eps, clip: null, steps: 20, queries: 20 },
      );
      expect(attacks.map((a) => a.name)).toEqual(norm === 'linf' ? ['apgd-ce', 'square'] : ['apgd-ce']);
      expect(robustAccuracy).toBe(scores.filter((s) => Math.abs(s) >= eps * dual).length / 50);
      expect(robustAccuracy).toBeGreaterThan(0.2);
      expect(robustAccuracy).toBeLessThan(0.9);
    }
  });
});

describe('warnings', () => {
  const logits = (model: Sequential, change: (z: Tensor) => Tensor): AttackedModel => ({
    forward: (x) => change(model.forward(x)),
  });
  const warningsOf = async (
    model: AttackedModel,
    labels: number[],
    options: Partial<RobustnessOptions> = {},
  ): Promise<string[]> =>
    (await evaluateRobustness(model, IMAGES, labels, { eps: 0.02, attacks: ['apgd-ce'], steps: 2, ...options }))
      .warnings;

  test('none for a plain classifier', async () => {
    using model = net();
    expect(await warningsOf(model, await labelled(model))).toEqual([]);
  });

  test('probabilities, outputs that differ, gradients that vanish, few classes', async () => {
    using model = net();
    const labels = await labelled(model);
    expect(
      await warningsOf(
        logits(model, (z) => softmax(z)),
        labels,
      ),
    ).toEqual(['the outputs look like probabilities, expected logits: their cross-entropy has small gradients']);
    let calls = 0;
    expect(
      await warningsOf(
        logits(model, (z) => add(z, 1e-3 * calls++)),
        labels,
      ),
    ).toEqual([
      'the model gives other outputs to the same images: attacks that see one draw of them overestimate its robustness',
    ]);
    expect(
      await warningsOf(
        logits(model, (z) => mul(z, 1e6)),
        labels,
        { batchSize: 10 },
      ),
    ).toEqual([expect.stringMatching(/^the gradient of the cross-entropy is zero for \d+ of the first 10 images/)]);
    expect(
      await warningsOf(
        logits(model, (z) => slice(z, { end: 3, axes: 1 })),
        labels.map((y) => Math.min(y, 2)),
      ),
    ).toEqual(['3 classes are too few for the targeted attack on the difference of logits ratio']);
  });

  test(
    'random search that breaks what gradients left; no gradient ' + 'is asked of a model that only it attacks',
    async () => {
      using model = net();
      const labels = await labelled(model);
      // Steps hide the slope from gradients, not from random search.
      const masked = logits(model, (z) => mul(floor(mul(z, 1000)), 1e-3));
      const found = await warningsOf(masked, labels, { eps: 0.06, attacks: ['pgd', 'square'], queries: 300 });
      expect(
        found.filter((w) =>
          /^square, which sees no gradient, broke \d+ images that pgd had left: gradients may be masked$/.test(w),
        ).length,
      ).toBe(1);
      expect(found.some((w) => w.startsWith('the gradient of the cross-entropy is zero'))).toBe(true);
      expect(await warningsOf(masked, labels, { attacks: ['square'], queries: 5 })).toEqual([]);
    },
  );
});

test('attacks of your own are held to the ball and to the box; errors', async () => {
  using model = net();
  const labels = await labelled(model);
  const run = (attack: NamedAttack['run'], options: Partial<RobustnessOptions> = {}) =>
    evaluateRobustness(model, IMAGES, labels, { eps: 0.1, attacks: [{ name: 'mine', run: attack }], ...options });
  const fair = await run((m, x, y, { eps, seed }) => pgd(m, x, y, { eps, seed, steps: 3 }));
  expect(fair.attacks[0]!.broken).toBeGreaterThan(0);
  const far =
    (eps: number): NamedAttack['run'] =>
    (m, x, y) =>
      pgd(m, x, y, { eps, clip: null, steps: 3 });
  await expect(run(far(0.5), { clip: null })).rejects.toThrow(
    /^evaluateRobustness: mine moved image \d+ by 0\.\d+, outside the linf ball of radius 0\.1$/,
  );
  await expect(run(far(3))).rejects.toThrow(
    /^evaluateRobustness: mine gave image \d+ the pixel -?\d\.\d+, outside the box \[0,1\]$/,
  );
  const bad = (options: Partial<RobustnessOptions>, x = IMAGES, y: number[] = labels) =>
    evaluateRobustness(model, x, y, { eps: 0.1, ...options });
  await expect(bad({ eps: -1 })).rejects.toThrow('evaluateRobustness: eps is -1, expected a finite number >= 0');
  await expect(bad({ norm: 'l2', attacks: ['square'] })).rejects.toThrow(
    "evaluateRobustness: 'square' is for norm 'linf', got 'l2'",
  );
  await expect(bad({ attacks: ['cw' as 'pgd'] })).rejects.toThrow("evaluateRobustness: there is no attack 'cw'");
  await expect(bad({ steps: 0 })).rejects.toThrow('evaluateRobustness: steps is 0, expected a positive integer');
  await expect(bad({ certified: [true] })).rejects.toThrow(
    'evaluateRobustness: certified has 1 entries, expected 24, one for each image',
  );
  await expect(bad({}, IMAGES, [1])).rejects.toThrow(
    'evaluateRobustness: labels has 1 entries, expected 24, one for each image',
  );
  await expect(
    bad(
      {},
      IMAGES,
      labels.map(() => 5),
    ),
  ).rejects.toThrow('evaluateRobustness: labels[0] is 5, expected an integer in 0..4');
  await expect(
    bad(
      {},
      new NdArray(
        IMAGES.data.map((v) => 255 * v),
        IMAGES.shape,
      ),
    ),
  ).rejects.toThrow(/outside the box \[0,1\]; give clip in the units of the model's input$/);
});
