import { describe, expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import { fgsm, pgd, type PgdOptions } from 'evenkeel/attack';
import { linear, relu, sequential, type Sequential } from 'evenkeel/nn';
import { add, clamp, mul } from 'evenkeel/ops';
import file from '../golden/attacks.json';
import { expectWithin } from '../support/check-op.ts';
import { casesOf, dense, flat, type GoldenCase } from '../support/golden.ts';
import { close } from '../support/tolerance.ts';

function netOf(c: GoldenCase): Sequential {
  const net = sequential({ fc1: linear(7, 17), r1: relu(), fc2: linear(17, 5), r2: relu(), fc3: linear(5, 3) }).init({ seed: 0 });
  return net.loadStateDict(new Map(Object.keys(c.inputs).filter((n) => n.startsWith('net:')).map((n) => [n.slice(4), dense(c.inputs[n])])));
}
const upload = (c: GoldenCase, name: string): Tensor => {
  const { data, shape } = dense(c.inputs[name]);
  return tensor(data, { shape });
};
const optionsOf = ({ options: { norm, eps, stepSize, steps, clip, targeted } }: GoldenCase) => ({ norm, eps, stepSize, steps, clip, targeted: targeted === true }) as PgdOptions;

async function expectLast(c: GoldenCase, options: PgdOptions): Promise<void> {
  using net = netOf(c);
  const [x, y] = [upload(c, 'x'), tensor(flat(c.inputs.target), { dtype: 'i32' })];
  const got = await pgd(net, x, y, options);
  const want = flat(c.outputs.path).slice(-x.size);
  expectWithin(await got.read(), { data: Float64Array.from(want), shape: x.shape }, close(2e-5, 2e-5), 'last point');
  for (const t of [x, y, got]) t.dispose();
}

describe('golden paths', () => {
  test.each(casesOf(file, 'pgd'))('$name', async (c) => {
    const start = upload(c, 'start');
    await expectLast(c, { ...optionsOf(c), start });
    start.dispose();
  });
  test.each(casesOf(file, 'pgdLinfOfficial'))('$name', async (c) => {
    const eps = c.options.eps as number;
    const start = scope(() => clamp(add(upload(c, 'x'), clamp(mul(upload(c, 'noise'), eps / 4), -eps / 2, eps / 2)), 0, 1));
    await expectLast(c, { ...optionsOf(c), start });
    start.dispose();
  });
  test.each(casesOf(file, 'pgdL2Official'))('$name', (c) => expectLast(c, { ...optionsOf(c), start: 'none', project: 'after' }));
  test.each(casesOf(file, 'fgsm'))('$name', async (c) => {
    using net = netOf(c);
    const [x, y] = [upload(c, 'x'), tensor(flat(c.inputs.target), { dtype: 'i32' })];
    const got = await fgsm(net, x, y, { eps: c.options.eps as number });
    expectWithin(await got.read(), { data: Float64Array.from(flat(c.outputs.adv)), shape: x.shape }, close(1e-6, 1e-6), 'adv');
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
  await expect(pgd(net, x, y, { eps: -1 })).rejects.toThrow('pgd: eps is -1, expected a finite number of at least 0');
  await expect(pgd(net, x, y, { eps: 1, steps: 0 })).rejects.toThrow('pgd: steps is 0, expected a positive integer');
  await expect(pgd(net, x, y, { eps: 1, start: y as unknown as Tensor })).rejects.toThrow('pgd: start has shape [5], expected [5,7]');
  x.dispose();
  y.dispose();
});
