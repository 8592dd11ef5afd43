import { describe, expect, test } from 'vitest';
import { capture, scope, tensor, type Tensor } from 'evenkeel';
import { beta, dirichlet, gamma, hostBeta, hostDirichlet, hostGamma, key } from 'evenkeel/random';
import { expectSameBits, poison, readAll } from '../support/check-op.ts';
import { expectTwin } from '../support/twin.ts';

const k = key(7);
const shapes = [[1], [3], [5, 7], [2, 3, 3], [257, 1], [3, 1025], [0, 4], [4, 0]];
const sizeOf = (shape: readonly number[]): number => shape.slice(1).reduce((n, d) => n * d, 1);

/** Powers of up to 1 / concentration raise a rounding. */
const expectDraws = (got: Float32Array, want: Float32Array, what: string): void =>
  expectTwin(got, want, what, { relative: 2 ** -10, rejects: true });

describe.each(shapes)('[%j], bit by bit as the host twin', (...shape) => {
  const [count, size] = [shape[0]!, sizeOf(shape)];
  test('gamma of one number', async () => {
    poison([count * size * 4]);
    const [y, z] = await readAll(() => [
      gamma(shape, k, { concentration: 0.3, stream: 2 }),
      gamma(shape, k, { concentration: 4.5, rate: 3 }),
    ]);
    expectDraws(y!, hostGamma(count, size, k, { concentration: 0.3, stream: 2 }), 'concentration 0.3');
    expectDraws(z!, hostGamma(count, size, k, { concentration: 4.5, rate: 3 }), 'concentration 4.5');
  });
  test('gamma and beta of a table', async () => {
    const a = Float32Array.from({ length: count * size }, (_, i) => 2 ** ((i % 31) - 12));
    const b = a.map((v) => 1 / v);
    const [y, z, w] = await readAll(() => [
      gamma(shape, k, { concentration: tensor(a, { shape }) }),
      beta(shape, k, { a: tensor(a, { shape }), b: tensor(b, { shape }) }),
      beta(shape, k, { a: 2, b: tensor(b, { shape }) }),
    ]);
    expectDraws(y!, hostGamma(count, size, k, { concentration: a }), 'gamma');
    expectDraws(z!, hostBeta(count, size, k, { a, b }), 'beta');
    expectDraws(w!, hostBeta(count, size, k, { a: 2, b }), 'beta of a number and a table');
  });
  test('beta of two numbers', async () => {
    const [y] = await readAll(() => [beta(shape, k, { a: 0.2, b: 1.7 })]);
    expectDraws(y!, hostBeta(count, size, k, { a: 0.2, b: 1.7 }), 'beta');
  });
  test('dirichlet', async () => {
    const concentration = [0.2, 1, 7, 0.01];
    const [y, z] = await readAll(() => {
      const t = dirichlet(shape, k, { concentration });
      expect(t.shape).toEqual([...shape, 4]);
      return [t, dirichlet(shape, k, { concentration: tensor(concentration) })];
    });
    expectDraws(y!, hostDirichlet(count, size, k, { concentration }), 'dirichlet');
    expectSameBits(z!, y!, 'a tensor of concentrations');
  });
});

test('100,000 of each', async () => {
  const n = 100_000;
  const [g, b] = await readAll(() => [gamma([1, n], k, { concentration: 0.7 }), beta([1, n], k, { a: 0.4, b: 0.4 })]);
  expectDraws(g!, hostGamma(1, n, k, { concentration: 0.7 }), 'gamma');
  expectDraws(b!, hostBeta(1, n, k, { a: 0.4, b: 0.4 }), 'beta');
});

test('a single row of Dirichlet probabilities', async () => {
  const [y] = await readAll(() => [dirichlet([], k, { concentration: [1, 2] })]);
  expectDraws(y!, hostDirichlet(1, 1, k, { concentration: [1, 2] }), 'row');
});

test('a captured step draws anew when its counter moves; runs repeat bit by bit', async () => {
  const first = tensor([0, 0], { dtype: 'u32' });
  const step = capture(() => [
    gamma([2, 5], k, { first, concentration: 0.5 }),
    beta([2, 5], k, { first, a: 1, b: 2 }),
    dirichlet([2], k, { first, concentration: [1, 1, 1] }),
  ]);
  const twins = [
    hostGamma(4, 5, k, { concentration: 0.5 }),
    hostBeta(4, 5, k, { a: 1, b: 2 }),
    hostDirichlet(4, 1, k, { concentration: [1, 1, 1] }),
  ];
  const half = (x: Float32Array, at: number): Float32Array =>
    x.slice((at / 2) * (x.length / 2), (at / 2 + 1) * (x.length / 2));
  for (const at of [0, 2, 0]) {
    first.write([at, 0]);
    const values = await Promise.all(step.run().map((t) => t.read()));
    twins.forEach((twin, i) => expectDraws(values[i]!, half(twin, at), `draw ${i} from item ${at}`));
  }
  for (const t of [step, first]) t.dispose();
});

test('errors', () => {
  scope(() => {
    const wrong = tensor([1, 2, 3]);
    expect(() => gamma([2], k, { concentration: -1 })).toThrow(
      'gamma: concentration is -1, expected a finite number > 0',
    );
    expect(() => gamma([2], k, { concentration: wrong })).toThrow(
      'gamma: concentration has shape [3], expected that of the draw [2]',
    );
    expect(() => gamma([2], k, { concentration: 1, rate: Infinity })).toThrow(
      'gamma: rate is Infinity, expected a finite number > 0',
    );
    expect(() => beta([2], k, { a: 0, b: 1 })).toThrow('beta: a is 0, expected a finite number > 0');
    expect(() => beta([3], k, { a: 1, b: tensor([1, 2, 3], { dtype: 'i32' }) as unknown as Tensor })).toThrow(
      'beta: b is i32, expected f32',
    );
    expect(() => dirichlet([2], k, { concentration: [1, 0] })).toThrow(
      'dirichlet: concentration[1] is 0, expected a finite number > 0',
    );
    expect(() => dirichlet([2], k, { concentration: [] })).toThrow(
      'dirichlet: concentration is empty, expected at least one class',
    );
    expect(() => dirichlet([2], k, { concentration: tensor([[1]].flat(), { shape: [1, 1] }) })).toThrow(
      'dirichlet: concentration has shape [1,1], expected one axis',
    );
  });
});
