import { describe, expect, test } from 'vitest';
import {
  backward,
  capture,
  checkpoint,
  customGrad,
  grad,
  noGrad,
  requireGrad,
  scope,
  tensor,
  valueAndGrad,
  type Tensor,
} from 'evenkeel';
import { add, exp, linear, matmul, mean, mul, relu, sin, square, sub, sum, tanh } from 'evenkeel/ops';
import { Arena } from '../../src/nn/arena.ts';
import { expectSameBits, readAll, takeGrad } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';

const close = (got: ArrayLike<number>, want: readonly number[], digits = 5): void =>
  Array.from(want).forEach((w, i) => expect(got[i]).toBeCloseTo(w, digits));

describe('valueAndGrad and grad of a function', () => {
  test('value and gradient of the first argument', async () => {
    const [value, gradient] = await readAll(() => {
      const f = valueAndGrad((x: Tensor, w: Tensor) => sum(mul(square(x), w)));
      const { value, gradient } = f(tensor([1, 2]), tensor([3, 5]));
      return [value, gradient];
    });
    close(value!, [23]);
    close(gradient!, [6, 20]);
  });

  test('another argument, and trees of tensors', async () => {
    const got = await readAll(() => {
      const loss = (x: Tensor, p: { layers: readonly { w: Tensor }[]; b: Tensor }): Tensor =>
        sum(add(mul(x, p.layers[0]!.w), p.b));
      const g = grad(loss, { argument: 1 })(tensor([1, 2]), { layers: [{ w: tensor([3, 4]) }], b: tensor(5) }) as {
        layers: { w: Tensor }[];
        b: Tensor;
      };
      return [g.layers[0]!.w, g.b];
    });
    close(got[0]!, [1, 2]);
    close(got[1]!, [2]);
  });

  test('derivatives of third order', async () => {
    const x = 0.7;
    const f = (x: Tensor): Tensor => sum(sin(mul(x, x)));
    const first = grad(f);
    const second = grad((x: Tensor) => sum(first(x)));
    const third = grad((x: Tensor) => sum(second(x)));
    const got = await readAll(() => [first, second, third].map((g) => g(tensor([x])) as Tensor));
    const [s, c] = [Math.sin(x * x), Math.cos(x * x)];
    close(
      got.map((g) => g[0]!),
      [2 * x * c, 2 * c - 4 * x * x * s, -12 * x * s - 8 * x ** 3 * c],
      2,
    );
  });

  test('a Hessian-vector product', async () => {
    const a = [2, 1, 1, 3];
    const [hv] = await readAll(() => {
      const f = (x: Tensor): Tensor => sum(mul(matmul(tensor(a, { shape: [2, 2] }), x), x));
      const v = tensor([1, -2], { shape: [2, 1] });
      return [grad((x: Tensor) => sum(mul(grad(f)(x), v)))(tensor([0.3, 0.4], { shape: [2, 1] }))];
    });
    close(hv!, [2 * (2 - 2), 2 * (1 - 6)]);
  });

  test('a gradient penalty reaches the parameters', async () => {
    // L = mean |d(w x^2)/dx|^2 = mean (2 w x)^2; dL/dw = mean 8 w x^2
    const [g] = await readAll(() => {
      const w = requireGrad(tensor([0.5]));
      const x = tensor([1, 2]);
      const penalty = valueAndGrad((w: Tensor) => mean(square(grad((x: Tensor) => sum(mul(square(x), w)))(x))));
      return [penalty(w).gradient];
    });
    close(g!, [8 * 0.5 * 2.5]);
  });

  test('frees what it makes, and leaves other leaves alone', async () => {
    const [x, w] = [tensor([1, 2]), requireGrad(tensor([3, 4]))];
    const before = gpu.memory().live;
    const g = grad((x: Tensor) => sum(mul(x, w)))(x);
    expect(gpu.memory().live - before).toBe(g.byteLength);
    expect([w.grad, x.requiresGrad]).toEqual([null, false]);
    for (const t of [x, w, g]) t.dispose();
  });

  test('errors', () => {
    scope(() => {
      expect(() => grad((x: Tensor) => mul(x, 2))(tensor([1, 2]))).toThrow(
        'valueAndGrad: the function gave shape [2], expected a scalar tensor; reduce it first',
      );
      expect(() => grad((x: number) => tensor(x))(3)).toThrow(
        'valueAndGrad: argument 0: got 3, expected a tensor, or arrays and plain objects of tensors',
      );
      expect(() => grad(((_x: Tensor) => 3) as unknown as (x: Tensor) => Tensor)(tensor(1))).toThrow(
        'valueAndGrad: the function gave 3, expected a scalar tensor',
      );
      // The depth is right again after an error.
      const g = grad((x: Tensor) => sum(x))(tensor([1]));
      expect(g.tracksGrad).toBe(false);
    });
  });
});

describe('customGrad', () => {
  const cube = customGrad(
    (x: Tensor) => ({ value: mul(x, square(x)), gradient: (dy) => [mul(dy, mul(square(x), 3))] }),
    { name: 'cube' },
  );

  test('its gradient is the given one, of second order too', async () => {
    const got = await readAll(() => {
      const x = tensor([2, -1]);
      const first = grad((x: Tensor) => sum(cube(x)));
      return [first(x), grad((x: Tensor) => sum(first(x)))(x)];
    });
    close(got[0]!, [12, 3]);
    close(got[1]!, [12, -6]);
  });

  test('a straight-through estimator that returns its input', async () => {
    const same = customGrad((x: Tensor) => ({ value: x, gradient: (dy) => [mul(dy, -1)] }));
    const [g] = await readAll(() => {
      const x = requireGrad(tensor([1, 2]));
      backward(sum(mul(same(x), tensor([3, 4]))));
      return [takeGrad(x)];
    });
    expect(Array.from(g!)).toEqual([-3, -4]);
  });

  test('errors', () => {
    const bad = customGrad((x: Tensor, w: Tensor) => ({ value: mul(x, w), gradient: (dy) => [dy] }), { name: 'bad' });
    scope(() => {
      const x = requireGrad(tensor([1]));
      expect(() => backward(sum(bad(x, tensor([2]))))).toThrow(
        'bad: the gradient function gave 1 gradients, expected one for each of the 2 inputs',
      );
    });
  });
});

describe('checkpoint', () => {
  const values = { x: [0.1, -0.4, 0.7, 0.2], w: [0.3, -0.2, 0.5, 0.1], b: [0.05, -0.1] };
  const make = (): Tensor[] =>
    [tensor(values.x, { shape: [2, 2] }), tensor(values.w, { shape: [2, 2] }), tensor(values.b)].map(requireGrad);
  const net = (x: Tensor, w: Tensor, b: Tensor): Tensor => tanh(linear(linear(x, w, b, { activation: 'relu' }), w, b));

  test.each(['backward', 'captured'] as const)(
    'gives the gradients of the plain chain, bit for bit, %s',
    async (how) => {
      const run = async (chain: (x: Tensor, w: Tensor, b: Tensor) => Tensor): Promise<Float32Array[]> => {
        const leaves = make();
        const step = (): Tensor[] => {
          backward(sum(square(chain(...(leaves as [Tensor, Tensor, Tensor])))));
          return leaves.map(takeGrad);
        };
        if (how === 'backward') {
          const got = await readAll(step);
          for (const t of leaves) t.dispose();
          return got;
        }
        using captured = capture(step);
        const got = await Promise.all(captured.run().map((t) => t.read()));
        for (const t of leaves) t.dispose();
        return got;
      };
      const want = await run(net);
      const got = await run((x, w, b) => checkpoint((x) => net(x, w, b), x));
      got.forEach((g, i) => expectSameBits(g, want[i]!, `gradient ${i}`));
      const inner = await run((x, w, b) => checkpoint((x, w) => checkpoint((x) => net(x, w, b), x), x, w));
      inner.forEach((g, i) => expectSameBits(g, want[i]!, `nested, gradient ${i}`));
    },
  );

  test('parameters in an arena get their gradients once', async () => {
    const gradients = async (wrap: boolean): Promise<Float32Array> => {
      const arena = new Arena(
        gpu,
        new Map([
          ['w', { shape: [2, 2], data: Float32Array.from(values.w) }],
          ['b', { shape: [2], data: Float32Array.from(values.b) }],
        ]),
      );
      const [w, b] = [...arena.parameters.values()] as [Tensor, Tensor];
      scope(() => {
        const f = (x: Tensor): Tensor => net(x, w, b);
        const x = tensor(values.x, { shape: [2, 2] });
        backward(sum(square(linear(wrap ? checkpoint(f, x) : f(x), w, b))));
      });
      const got = await arena.grads.read();
      arena.dispose();
      return got;
    };
    const [want, got] = [await gradients(false), await gradients(true)];
    want.forEach((g, i) => expect(got[i]).toBeCloseTo(g, 5));
  });

  test('holds less memory between forward and backward', () => {
    const held = (chain: (x: Tensor) => Tensor): number => {
      const x = requireGrad(tensor(new Float32Array(4096).fill(0.5)));
      const before = gpu.memory().live;
      const live = scope(() => {
        const y = chain(x);
        const bytes = gpu.memory().live - before;
        backward(sum(y));
        return bytes;
      });
      x.dispose();
      return live;
    };
    const deep = (x: Tensor): Tensor => {
      let y = x;
      for (let i = 0; i < 10; i++) y = exp(sub(y, 1));
      return y;
    };
    expect(held((x) => checkpoint(deep, x))).toBeLessThan(held(deep) / 10);
  });

  test('within noGrad it only computes, and second order is refused in words', () => {
    scope(() => {
      const x = requireGrad(tensor([1, -1]));
      expect(noGrad(() => checkpoint((x) => relu(x), x)).tracksGrad).toBe(false);
      const [g] = grad(sum(checkpoint((x) => exp(x), x)), [x], { createGraph: true });
      expect(() => grad(sum(g!), [x])).toThrow(
        'checkpoint is a fused op whose gradient cannot be differentiated again',
      );
    });
  });
});
