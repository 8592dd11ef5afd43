import { describe, expect, test } from 'vitest';
import { grad, NdArray, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { fgsm, pgd, type PgdOptions } from 'evenkeel/attack';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { add, clamp, crossEntropy, mul } from 'evenkeel/ops';
import file from '../golden/attacks.json';
import { expectWithin, readAll } from '../support/check-op.ts';
import { casesOf, dense, flat, type GoldenCase } from '../support/golden.ts';
import { close } from '../support/tolerance.ts';

function netOf(c: GoldenCase): Sequential {
  const net = Sequential({ fc1: Linear(7, 17), r1: ReLU(), fc2: Linear(17, 5), r2: ReLU(), fc3: Linear(5, 3) }).init({
    seed: 0,
  });
  return net.loadStateDict(
    new Map(
      Object.keys(c.inputs)
        .filter((n) => n.startsWith('net:'))
        .map((n) => [n.slice(4), dense(c.inputs[n])]),
    ),
  );
}
const upload = (c: GoldenCase, name: string): Tensor => {
  const { data, shape } = dense(c.inputs[name]);
  return tensor(data, { shape });
};
const optionsOf = ({ options: { norm, eps, stepSize, steps, clip, targeted } }: GoldenCase) =>
  ({ norm, eps, stepSize, steps, clip, targeted: targeted === true }) as PgdOptions;

/**
 * All points of a path and the loss of each before its step, one call of pgd a step; then the same path in one call.
 */
async function expectPath(c: GoldenCase, options: PgdOptions): Promise<void> {
  using net = netOf(c);
  const [x, y] = [upload(c, 'x'), tensor(flat(c.inputs.target), { dtype: 'i32' })];
  const path = flat(c.outputs.path);
  const part = (t: number): { data: Float64Array; shape: readonly number[] } => ({
    data: Float64Array.from(path.slice(t * x.size, (t + 1) * x.size)),
    shape: x.shape,
  });
  const steps = c.options.steps as number;
  expect(path.length).toBe((steps + 1) * x.size);
  expectWithin(await (options.start as Tensor).read(), part(0), close(2e-6, 2e-6), 'start');
  let now: Tensor = options.start as Tensor;
  for (let t = 0; t < steps; t++) {
    if ('losses' in c.outputs) {
      const rows = x.shape[0]!;
      const [losses] = await readAll(() => [crossEntropy(net.forward(now), y, { reduction: 'none' })]);
      expectWithin(
        losses!,
        { data: Float64Array.from(flat(c.outputs.losses).slice(t * rows, (t + 1) * rows)), shape: [rows] },
        close(2e-5, 2e-5),
        `losses of step ${t}`,
      );
    }
    const next = await pgd(net, x, y, { ...options, steps: 1, start: now });
    if (t > 0) now.dispose();
    now = next;
    expectWithin(await now.read(), part(t + 1), close(2e-5, 2e-5), `point ${t + 1}`);
  }
  const got = await pgd(net, x, y, options);
  expect(await got.read()).toEqual(await now.read());
  if ('finalLogits' in c.outputs) {
    const { data } = await net.logits(new NdArray(await got.read(), x.shape));
    expectWithin(
      data,
      { data: Float64Array.from(flat(c.outputs.finalLogits)), shape: [] },
      close(1e-4, 1e-4),
      'logits there',
    );
  }
  for (const t of [x, y, got, now]) t.dispose();
}

/** Each case names all that it has, so that a field that nothing compares would show. */
test('every output of the file is compared here or in dlr.gpu.test.ts', () => {
  const compared: Record<string, string[]> = {
    pgd: ['finalLogits', 'losses', 'path'],
    pgdLinfOfficial: ['path'],
    pgdL2Official: ['path'],
    fgsm: ['adv', 'gradInput'],
    dlrLoss: ['dlr', 'dlrTargeted', 'gradDlr', 'gradDlrTargeted'],
  };
  for (const { op, outputs } of file as unknown as GoldenCase[])
    expect(Object.keys(outputs).sort()).toEqual(compared[op!]);
});

describe('golden paths', () => {
  test.each(casesOf(file, 'pgd'))('$name', async (c) => {
    const start = upload(c, 'start');
    await expectPath(c, { ...optionsOf(c), start });
    start.dispose();
  });
  test.each(casesOf(file, 'pgdLinfOfficial'))('$name', async (c) => {
    const eps = c.options.eps as number;
    const start = scope(() =>
      clamp(add(upload(c, 'x'), clamp(mul(upload(c, 'noise'), eps / 4), -eps / 2, eps / 2)), 0, 1),
    );
    await expectPath(c, { ...optionsOf(c), start });
    start.dispose();
  });
  // The official code replaces a zero gradient by a random direction: the recorded path goes on from a draw that is not
  // in the file. So every step starts from the recorded point, and a sample whose gradient is zero there must stay.
  test.each(casesOf(file, 'pgdL2Official'))('$name, step by step', async (c) => {
    using net = netOf(c);
    const [x, y] = [upload(c, 'x'), tensor(flat(c.inputs.target), { dtype: 'i32' })];
    const path = Float64Array.from(flat(c.outputs.path));
    const features = x.shape[1]!;
    let stayed = 0;
    for (let t = 0; t < (c.options.steps as number); t++) {
      const before = path.slice(t * x.size, (t + 1) * x.size);
      const start = tensor(before, { shape: x.shape });
      const found = await pgd(net, x, y, { ...optionsOf(c), steps: 1, start, project: 'after' });
      const got = await found.read();
      for (let row = 0; row < x.shape[0]!; row++) {
        const part = (of: ArrayLike<number>): number[] => Array.from(of).slice(row * features, (row + 1) * features);
        const stays = part(got).every((v, i) => Math.abs(v - part(before)[i]!) < 1e-6);
        stayed += Number(stays);
        if (!stays)
          expectWithin(
            part(got),
            { data: Float64Array.from(part(path.slice((t + 1) * x.size))), shape: [features] },
            close(2e-5, 2e-5),
            `step ${t}, sample ${row}`,
          );
      }
      start.dispose();
      found.dispose();
    }
    expect(stayed).toBe(3);
    x.dispose();
    y.dispose();
  });
  test.each(casesOf(file, 'fgsm'))('$name', async (c) => {
    using net = netOf(c);
    const [x, y] = [upload(c, 'x'), tensor(flat(c.inputs.target), { dtype: 'i32' })];
    const got = await fgsm(net, x, y, { eps: c.options.eps as number });
    expectWithin(
      await got.read(),
      { data: Float64Array.from(flat(c.outputs.adv)), shape: x.shape },
      close(1e-6, 1e-6),
      'adv',
    );
    const [slope] = await readAll(() => {
      const at = requireGrad(x.detach());
      return [grad(crossEntropy(net.forward(at), y, { reduction: 'sum' }), [at])[0]!];
    });
    const want = flat(c.outputs.gradInput);
    expectWithin(
      slope!,
      { data: Float64Array.from(want), shape: x.shape },
      () => 1e-5 * Math.max(...want.map(Math.abs)),
      'gradInput',
    );
    for (const t of [x, y, got]) t.dispose();
  });
});

test('a seed repeats bit by bit, points stay in the ball, an abort rejects, errors', async () => {
  const c = casesOf(file, 'pgd')[0]!;
  using net = netOf(c);
  const [x, y] = [upload(c, 'x'), tensor(flat(c.inputs.target), { dtype: 'i32' })];
  for (const norm of ['linf', 'l2'] as const) {
    for (const start of ['uniform', 'normal'] as const) {
      const options = { eps: 0.2, norm, start, restarts: 2, steps: 9, seed: 5 };
      const [a, b] = [await pgd(net, x, y, options), await pgd(net, x, y, options)];
      const [u, v, base] = [await a.read(), await b.read(), await x.read()];
      expect(u).toEqual(v);
      for (let i = 0; i < 5; i++) {
        const d = Array.from(u.slice(i * 7, i * 7 + 7), (q, k) => q - base[i * 7 + k]!);
        expect(norm === 'l2' ? Math.hypot(...d) : Math.max(...d.map(Math.abs))).toBeLessThanOrEqual(0.2 + 1e-6);
      }
      a.dispose();
      b.dispose();
    }
  }
  await expect(pgd(net, x, y, { eps: 0.1, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
  await expect(pgd(net, x, y, { eps: -1 })).rejects.toThrow('pgd: eps is -1, expected a finite number >= 0');
  await expect(pgd(net, x, y, { eps: 1, steps: 0 })).rejects.toThrow('pgd: steps is 0, expected a positive integer');
  await expect(pgd(net, x, y, { eps: 1, start: y as unknown as Tensor })).rejects.toThrow(
    'pgd: start has shape [5], expected [5,7]',
  );
  x.dispose();
  y.dispose();
});

test(
  'inputs outside the box are refused, in the place and size of ' + 'the first; those at its f32 ends are not',
  async () => {
    using net = netOf(casesOf(file, 'pgd')[0]!);
    const y = tensor([0, 1], { dtype: 'i32' });
    // Pixels 0 and 1 of mean 0.1307 and deviation 0.3081: f32 puts them on either side of the f64 ends.
    const [low, high] = [-0.1307 / 0.3081, (1 - 0.1307) / 0.3081];
    const at = new Float32Array(14).fill(low).fill(high, 7);
    const x = tensor(at, { shape: [2, 7] });
    for (const attack of [pgd, fgsm]) {
      (await attack(net, x, y, { eps: 0.1, clip: [low, high] })).dispose();
      (await attack(net, x, y, { eps: 0.1, clip: null })).dispose();
      await expect(attack(net, x, y, { eps: 0.1 })).rejects.toThrow(
        new RangeError(
          `pgd: x is ${at[0]} in row 0, outside the box [0,1]; give clip in the units of the model's input`,
        ),
      );
    }
    at[9] = 255;
    x.write(at);
    await expect(pgd(net, x, y, { eps: 0.1, clip: [low, high] })).rejects.toThrow(
      /^pgd: x is 255 in row 1, outside the box/,
    );
    x.dispose();
    y.dispose();
  },
);
