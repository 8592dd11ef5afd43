import { afterAll, beforeAll, expect, test } from 'vitest';
import { NdArray, type Tensor } from 'evenkeel';
import { apgd, evaluateRobustness, fgsm, pgd, squareAttack } from 'evenkeel/attack';
import { Conv2d, Flatten, Linear, Sequential } from 'evenkeel/nn';
import { hostUniform, key } from 'evenkeel/random';

const [COUNT, CHANNELS, SIDE] = [4, 3, 4];
const EPS = [0.01, 0.1, 0.3];
const CLIP = [
  [-1, 0, 0.1],
  [1, 1, 0.9],
] as const;
const channelOf = (i: number): number => Math.floor(i / SIDE ** 2) % CHANNELS;
const inBox = (v: number, c: number): number => CLIP[0][c]! + v * (CLIP[1][c]! - CLIP[0][c]!);
const x = new NdArray(
  hostUniform(COUNT, CHANNELS * SIDE ** 2, key(1)).map((v, i) => inBox(v, channelOf(i))),
  [COUNT, CHANNELS, SIDE, SIDE],
);
const y = [0, 1, 0, 1];
let model: Sequential;
beforeAll(() => {
  model = Sequential(Conv2d(CHANNELS, 4, 3), Flatten(), Linear(16, 2)).init({ seed: 5 });
});
afterAll(() => model.dispose());

type Options = {
  eps: number | readonly number[];
  clip: readonly [number | readonly number[], number | readonly number[]];
};
const ATTACKS: [string, (options: Options) => Promise<Tensor>][] = [
  ['fgsm', (o) => fgsm(model, x, y, o)],
  ['pgd', (o) => pgd(model, x, y, { ...o, steps: 6 })],
  ['pgd, normal start', (o) => pgd(model, x, y, { ...o, steps: 6, start: 'normal' })],
  [
    'pgd, a step for each channel',
    (o) => pgd(model, x, y, { ...o, steps: 6, stepSize: typeof o.eps === 'number' ? o.eps : o.eps.map((e) => e / 2) }),
  ],
  ['apgd', (o) => apgd(model, x, y, { ...o, steps: 6 })],
  ['squareAttack', (o) => squareAttack(model, x, y, { ...o, queries: 40 })],
];
const values = async (found: Promise<Tensor>): Promise<Float32Array> => {
  using t = await found;
  return await t.read();
};

test.each(ATTACKS)('%s stays in the ball and box of each channel, and uses it', async (name, attack) => {
  const got = await values(attack({ eps: EPS, clip: CLIP }));
  const moved = [0, 0, 0];
  got.forEach((v, i) => {
    const c = channelOf(i);
    const d = Math.abs(v - x.data[i]!);
    moved[c] = Math.max(moved[c]!, d);
    expect(d).toBeLessThanOrEqual(EPS[c]! + 1e-6);
    expect(v >= CLIP[0][c]! - 1e-6 && v <= CLIP[1][c]! + 1e-6).toBe(true);
  });
  // Square leaves what is misclassified from the first; the others move in every channel.
  if (name !== 'squareAttack') moved.forEach((d, c) => expect(d).toBeGreaterThan(0.5 * EPS[c]!));
});

test.each(ATTACKS)('%s: equal numbers for all channels give what one number gives', async (name, attack) => {
  if (name === 'apgd')
    return void expect(
      (await values(attack({ eps: [0.125, 0.125, 0.125], clip: [-1, 1] }))).every(
        (v, i) => Math.abs(v - x.data[i]!) <= 0.125 + 1e-6,
      ),
    ).toBe(true);
  const [one, each] = [
    await values(attack({ eps: 0.125, clip: [-1, 1] })),
    await values(
      attack({
        eps: [0.125, 0.125, 0.125],
        clip: [
          [-1, -1, -1],
          [1, 1, 1],
        ],
      }),
    ),
  ];
  one.forEach((v, i) => expect(Math.abs(v - each[i]!)).toBeLessThan(1e-6));
});

test('evaluateRobustness checks each channel', async () => {
  const report = await evaluateRobustness(model, x, y, {
    eps: EPS,
    clip: CLIP,
    attacks: ['pgd', 'apgd-ce', 'square'],
    steps: 5,
    queries: 10,
  });
  expect(report.eps).toEqual(EPS);
  expect(report.robustAccuracy).toBeLessThanOrEqual(report.cleanAccuracy);
  const far = {
    name: 'far',
    run: () => pgd(model, x.slice(0, 1), [predicted[0]!], { eps: 0.3, clip: CLIP, steps: 20, stepSize: 0.3 }),
  };
  const probabilities = (await model.predict(x)).data;
  const predicted = y.map((_, i) => Number(probabilities[2 * i + 1]! > probabilities[2 * i]!));
  const outcome = await evaluateRobustness(model, x.slice(0, 1), [predicted[0]!], {
    eps: [1e-3, 1e-3, 1e-3],
    clip: CLIP,
    attacks: [far],
  }).then(
    (r) => r.attacks[0]!.broken,
    (e: Error) => e.message,
  );
  expect(outcome === 0 || /far moved image 0 by .*, outside the linf ball of radius 0.001/.test(String(outcome))).toBe(
    true,
  );
});

test('errors', async () => {
  await expect(pgd(model, x, y, { eps: [0.1, 0.1], clip: null })).rejects.toThrow(
    'pgd: eps has 2 entries, expected 3, one for each channel of [4,3,4,4]',
  );
  await expect(apgd(model, x, y, { eps: 0.1, clip: [[0, 0], 1] })).rejects.toThrow(
    'apgd: clip[0] has 2 entries, expected 3',
  );
  await expect(pgd(model, x, y, { eps: [0.1, -1, 0.1], clip: null })).rejects.toThrow(
    'pgd: eps[1] is -1, expected a finite number >= 0',
  );
  await expect(pgd(model, x, y, { eps: EPS, norm: 'l2', clip: null })).rejects.toThrow(
    'pgd: eps is [0.01,0.1,0.3], expected one number for norm l2',
  );
  await expect(squareAttack(model, x, y, { eps: 0.1, clip: [[-1, 0, 0.5], 1] })).rejects.toThrow(
    /squareAttack: x is .* outside the box \[0.5,1\]/,
  );
  await expect(pgd(model, x, y, { eps: 0.1, clip: [[0, 0, 2], 1] })).rejects.toThrow(
    'pgd: clip is [2,1], expected two finite numbers, the lower one first',
  );
});
