import { describe, expect, test } from 'vitest';
import { backward, grad, noGrad, requireGrad, scope, tensor, Tensor, zeros } from 'evenkeel';
import {
  add,
  cast,
  exp,
  expand,
  flatten,
  linear,
  log,
  logSoftmax,
  lpDistance,
  matmul,
  mean,
  mul,
  permute,
  relu,
  reshape,
  sign,
  slice,
  softmax,
  square,
  squeeze,
  sub,
  sum,
  tanh,
  transpose,
  unsqueeze,
} from 'evenkeel/ops';
import { Arena } from '../../src/nn/arena.ts';
import { accumulateInto } from '../../src/tensor/accumulate.ts';
import { record, type Into, type Rule } from '../../src/tensor/tape.ts';
import { clear } from '../../src/tensor/tensor.ts';
import { readAll, takeGrad } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';

/** Gradients of the leaves of a scalar, by backward. */
async function gradients(values: readonly (readonly number[])[], f: (...x: Tensor[]) => Tensor): Promise<number[][]> {
  const got = await readAll(() => {
    const x = values.map((v) => requireGrad(tensor(v)));
    backward(f(...x));
    return x.map(takeGrad);
  });
  return got.map((g) => Array.from(g));
}

describe('results that were freed', () => {
  test('backward and grad refuse a loss whose past went with a scope', () => {
    using x = requireGrad(tensor([1, 2]));
    using loss = scope(() => sum(square(x)));
    expect(() => backward(loss)).toThrow(
      'backward: a result of shape [2] that the gradient flows through was freed before; call backward inside the ' +
        'scope that computes it',
    );
    expect(() => grad(loss, [x])).toThrow('grad: a result of shape [2] that the gradient flows through was freed');
    expect(x.grad).toBeNull();
  });

  test('what lies before the tensors that are asked for may be gone', async () => {
    using x = requireGrad(tensor([1, 2]));
    const h = scope(() => mul(add(x, 1), 2));
    const got = await readAll(() => grad(sum(square(h)), [h]));
    expect(Array.from(got[0]!)).toEqual([8, 12]);
    h.dispose();
  });
});

describe('backward', () => {
  test('every use of a leaf adds to its gradient', async () => {
    expect(await gradients([[1, 2]], (x) => sum(add(x, x)))).toEqual([[2, 2]]);
    expect(await gradients([[1, 2]], (x) => sum(mul(x, x)))).toEqual([[2, 4]]);
    expect(await gradients([[1, 2]], (x) => sum(add(mul(x, mul(x, x)), add(x, sub(x, x)))))).toEqual([[4, 13]]);
  });

  test('every change of shape stays on the tape; only detach leaves it', async () => {
    const x: number[] = [1, 2, 3, 4, 5, 6];
    const weights = [3, 1, 4, 1, 5, 9];
    // y = change(x) with weights in the order of y: dx is the weights, put back.
    const changes: [change: (x: Tensor) => Tensor, dx: number[]][] = [
      [(x) => reshape(x, [2, 3]), weights],
      [(x) => flatten(reshape(x, [3, 2, 1])), weights],
      [(x) => squeeze(unsqueeze(x, 1)), weights],
      [(x) => transpose(reshape(x, [2, 3])), [3, 4, 5, 1, 1, 9]],
      [(x) => permute(reshape(x, [1, 2, 3]), [2, 0, 1]), [3, 4, 5, 1, 1, 9]],
      [(x) => slice(x, { axes: 0, start: 0, end: 6 }), weights],
      [(x) => cast(x, 'f32'), weights],
    ];
    for (const [change, dx] of changes) {
      expect(await gradients([x], (x) => sum(mul(reshape(change(x), [6]), tensor(weights)))), String(change)).toEqual([
        dx,
      ]);
    }
    expect(await gradients([x], (x) => sum(mul(x, reshape(x, [6]).detach())))).toEqual([x]);
    expect('view' in Tensor.prototype).toBe(false);
  });

  test('gradients that are handed out twice do not share memory afterwards', async () => {
    const f = (x: Tensor, w: Tensor): Tensor => sum(add(add(mul(x, 5), add(x, w)), mul(x, 3)));
    expect(
      await gradients(
        [
          [1, 2],
          [3, 4],
        ],
        f,
      ),
    ).toEqual([
      [9, 9],
      [1, 1],
    ]);
    const g = (x: Tensor, w: Tensor): Tensor => sum(add(add(x, tanh(mul(w, 0))), x));
    expect(
      await gradients(
        [
          [1, 2],
          [3, 4],
        ],
        g,
      ),
    ).toEqual([
      [2, 2],
      [0, 0],
    ]);
  });

  test('a diamond: both branches reach the top', async () => {
    expect(
      await gradients([[1, 2]], (x) => {
        const h = mul(x, 3);
        return sum(add(square(h), mul(h, reshape(reshape(h, [2, 1]), [2]))));
      }),
    ).toEqual([[36, 72]]);
  });

  test('a leaf that is the loss', async () => {
    expect(await gradients([[7]], (x) => x)).toEqual([[1]]);
    const got = await readAll(() => {
      const x = requireGrad(tensor(2));
      backward(add(x, x));
      const first = takeGrad(x);
      backward(add(x, x));
      return [first, takeGrad(x)];
    });
    expect(got.map((g) => g[0])).toEqual([2, 2]);
  });

  test('a deep chain', async () => {
    expect(
      await gradients([[1]], (x) => {
        let y = x;
        for (let i = 0; i < 3000; i++) y = add(y, 0.5);
        return sum(y);
      }),
    ).toEqual([[1]]);
  });

  test('only leaves that ask for it', async () => {
    const x = requireGrad(tensor([1, 2]));
    const [y, z] = [tensor([3, 4]), requireGrad(tensor([5, 6]))];
    scope(() => backward(sum(mul(x, y))));
    expect(Array.from(await x.grad!.read())).toEqual([3, 4]);
    expect([y.grad, z.grad]).toEqual([null, null]);
    for (const t of [x, y, z]) t.dispose();
  });

  test('each call replaces the gradient, unless accumulate', async () => {
    const x = requireGrad(tensor([1, 2]));
    const run = (accumulate: boolean): void => scope(() => backward(sum(mul(x, 3)), { accumulate }));
    run(false);
    run(false);
    expect(Array.from(await x.grad!.read())).toEqual([3, 3]);
    run(true);
    run(true);
    expect(Array.from(await x.grad!.read())).toEqual([9, 9]);
    x.dispose();
  });

  test('its own temporaries are freed at once, scope or not', () => {
    const x = requireGrad(tensor([1, 2, 3]));
    const steps = [exp(x)];
    steps.push(tanh(steps[0]!), mul(steps[0]!, steps[0]!));
    steps.push(sum(steps[2]!));
    const before = gpu.memory().live;
    backward(steps[3]!);
    expect(gpu.memory().live - before).toBe(x.grad!.byteLength);
    for (const t of [x, ...steps]) t.dispose();
  });

  test('noGrad and detach cut the tape', () => {
    scope(() => {
      const x = requireGrad(tensor([1, 2]));
      expect(noGrad(() => mul(x, 2)).tracksGrad).toBe(false);
      expect(mul(x.detach(), 2).tracksGrad).toBe(false);
      expect(mul(x, 2).tracksGrad).toBe(true);
      expect(() =>
        noGrad(() => {
          throw new Error('inside');
        }),
      ).toThrow('inside');
      expect(mul(x, 2).tracksGrad).toBe(true);
    });
  });

  test('errors', () => {
    scope(() => {
      const x = requireGrad(tensor([1, 2]));
      expect(() => backward(mul(x, 2))).toThrow('backward: loss has shape [2], expected a scalar; reduce it first');
      expect(() => backward(sum(tensor([1])))).toThrow(
        'backward: no gradient flows into this loss; does a parameter have requiresGrad, and was it computed ' +
          'outside noGrad?',
      );
      expect(() => grad(mul(x, 2), [x])).toThrow('grad: y has shape [2], expected a scalar; reduce it first');
    });
  });
});

describe('values that change between forward and backward', () => {
  test('are found, and named', () => {
    scope(() => {
      const [x, w] = [requireGrad(tensor([1, 2])), requireGrad(tensor([3, 4]))];
      const y = sum(mul(x, w));
      w.write([5, 6]);
      expect(() => backward(y)).toThrow(
        'backward of mul: input 1, of shape [2], was overwritten after the op had run; call backward before ' +
          'the write, or write into another tensor',
      );
      const z = exp(x);
      const loss = sum(z);
      z.write([0, 0]);
      expect(() => backward(loss)).toThrow('backward of sum: input 0, of shape [2], was overwritten');
      expect(x.grad).toBeNull();
    });
  });

  test('a write before the op, or after backward, is none', () => {
    scope(() => {
      const x = requireGrad(tensor([1, 2]));
      x.write([3, 4]);
      backward(sum(square(x)));
      x.write([5, 6]);
      backward(sum(square(x)));
      x.grad!.dispose();
    });
  });

  test('by a kernel in place, too', () => {
    scope(() => {
      const x = requireGrad(tensor([1, 2]));
      const y = sum(square(x));
      accumulateInto(x, tensor([1, 1]));
      expect(() => backward(y)).toThrow('backward of square: input 0, of shape [2], was overwritten');
    });
  });
});

describe('parameters in an arena', () => {
  const make = (): Arena =>
    new Arena(
      gpu,
      new Map([
        ['w', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
        ['b', { shape: [2], data: Float32Array.of(5, 6) }],
      ]),
    );
  const flat = async (arena: Arena): Promise<number[][]> => {
    const all = await arena.grads.read();
    return [...arena.parameters.values()].map((p) => Array.from(all.slice(p.offset, p.offset + p.size)));
  };

  test('gradients go into the arena, the second use adds', async () => {
    const arena = make();
    const [w, b] = [arena.parameters.get('w')!, arena.parameters.get('b')!];
    const x = tensor([1, 1], { shape: [1, 2] });
    scope(() => backward(sum(linear(linear(x, w, b), w, b))));
    // y = w (w x + b) + b: dw = 1 h' + w' 1 x', db = w' 1 + 1 with h = w x + b = (8, 13).
    expect(await flat(arena)).toEqual([
      [8 + 4, 13 + 4, 8 + 6, 13 + 6],
      [1 + 4, 1 + 6],
    ]);
    scope(() => backward(sum(linear(x, w, b)), { accumulate: true }));
    expect(await flat(arena)).toEqual([
      [13, 18, 15, 20],
      [6, 8],
    ]);
    for (const t of [arena, x]) t.dispose();
  });

  test('a parameter that the loss does not use has gradient zero, not the last one', async () => {
    const arena = make();
    const [w, b] = [arena.parameters.get('w')!, arena.parameters.get('b')!];
    scope(() => backward(sum(add(mul(sum(w), 2), sum(b)))));
    scope(() => backward(sum(b)));
    expect(await flat(arena)).toEqual([
      [0, 0, 0, 0],
      [1, 1],
    ]);
    arena.dispose();
  });

  test('a frozen parameter keeps gradient zero, and the one beside it is trained', async () => {
    const arena = make();
    const [w, b] = [arena.parameters.get('w')!, arena.parameters.get('b')!];
    w.requiresGrad = false;
    const x = tensor([1, 1], { shape: [1, 2] });
    for (let i = 0; i < 2; i++) scope(() => backward(sum(linear(x, w, b))));
    expect(await flat(arena)).toEqual([
      [0, 0, 0, 0],
      [1, 1],
    ]);
    for (const t of [arena, x]) t.dispose();
  });
});

describe('grad', () => {
  test('of leaves and of tensors inside the graph', async () => {
    const got = await readAll(() => {
      const x = requireGrad(tensor([1, 2]));
      const h = mul(x, 3);
      const y = sum(square(h));
      return grad(y, [x, h, y]);
    });
    expect(got.map((g) => Array.from(g))).toEqual([[18, 36], [6, 12], [1]]);
  });
  test('zeros where there is no dependence; leaves .grad alone', async () => {
    const [a, b] = await readAll(() => {
      const [x, z] = [requireGrad(tensor([1, 2])), requireGrad(tensor([3]))];
      const out = grad(sum(sign(x)), [x, z]);
      expect([x.grad, z.grad]).toEqual([null, null]);
      return out;
    });
    expect([Array.from(a!), Array.from(b!)]).toEqual([[0, 0], [0]]);
  });

  /** Second derivatives by grad of grad, of sum f(x) at each element. */
  async function second(x: number[], f: (x: Tensor) => Tensor, v?: number[]): Promise<number[]> {
    const [g] = await readAll(() => {
      const leaf = requireGrad(tensor(x));
      const [first] = grad(sum(f(leaf)), [leaf], { createGraph: true });
      return grad(sum(v ? mul(first!, tensor(v)) : first!), [leaf]);
    });
    return Array.from(g!);
  }
  const expectNear = (got: number[], want: number[], tolerance = 1e-4): void =>
    got.forEach((v, i) => expect(Math.abs(v - want[i]!)).toBeLessThan(tolerance * Math.max(1, Math.abs(want[i]!))));
  const x = [-1.2, -0.3, 0.4, 1.1];

  test('second derivatives of tanh, exp, log and a product', async () => {
    expectNear(
      await second(x, tanh),
      x.map((v) => -2 * Math.tanh(v) * (1 - Math.tanh(v) ** 2)),
    );
    expectNear(await second(x, exp), x.map(Math.exp));
    expectNear(await second([0.5, 2], log), [-4, -0.25]);
    expectNear(
      await second(x, (t) => mul(mul(t, t), t)),
      x.map((v) => 6 * v),
    );
  });
  test('second derivative of softmax and logSoftmax against the formula', async () => {
    const e = x.map(Math.exp);
    const p = e.map((v) => v / e.reduce((s, w) => s + w, 0));
    const a = [1, -2, 0.5, 3];
    const v = [0.3, 0.1, -0.7, 0.2];
    // s = sum a p: ds/dx_i = p_i (a_i - s). Directional derivative along v of that, with d p_i = p_i (v_i - m), m = sum
    // p v.
    const [s, m] = [a, v].map((w) => w.reduce((t, wi, i) => t + wi * p[i]!, 0)) as [number, number];
    const ds = p.reduce((t, pi, i) => t + pi * (a[i]! - s) * v[i]!, 0);
    expectNear(
      await second(x, (t) => mul(softmax(t), tensor(a)), v),
      p.map((pi, i) => pi * (v[i]! - m) * (a[i]! - s) - pi * ds),
    );
    // L = sum a logp: dL/dx_i = a_i - p_i A, A = sum a.
    const total = a.reduce((t, w) => t + w, 0);
    expectNear(
      await second(x, (t) => mul(logSoftmax(t), tensor(a)), v),
      p.map((pi, i) => -total * pi * (v[i]! - m)),
    );
  });
  test('through broadcasting, reductions, views and matmul', async () => {
    const [g] = await readAll(() => {
      const t = requireGrad(tensor([1, 2, 3, 4], { shape: [2, 2] }));
      const y = mean(square(matmul(t, expand(mean(t, { axes: 0, keepDim: true }), [2, 2]))));
      const [first] = grad(y, [t], { createGraph: true });
      return grad(sum(square(first!)), [t]);
    });
    // By central differences of the same expression in f64.
    const value = (t: number[]): number => {
      const f = (u: number[]): number => {
        const m = [(u[0]! + u[2]!) / 2, (u[1]! + u[3]!) / 2];
        return (
          [0, 2]
            .flatMap((r) => [0, 1].map((c) => (u[r]! * m[c]! + u[r + 1]! * m[c]!) ** 2))
            .reduce((p, q) => p + q, 0) / 4
        );
      };
      return t.reduce(
        (s, _, i) =>
          s +
          ((f(t.map((u, j) => u + (i === j ? 1e-5 : 0))) - f(t.map((u, j) => u - (i === j ? 1e-5 : 0)))) / 2e-5) ** 2,
        0,
      );
    };
    const at = [1, 2, 3, 4];
    at.forEach((_, i) => {
      const numeric =
        (value(at.map((u, j) => u + (i === j ? 1e-3 : 0))) - value(at.map((u, j) => u - (i === j ? 1e-3 : 0)))) / 2e-3;
      expect(Math.abs(g![i]! - numeric)).toBeLessThan(1e-3 * Math.abs(numeric));
    });
  });
  test('third derivatives', async () => {
    const [g] = await readAll(() => {
      const t = requireGrad(tensor([0.7]));
      const [a] = grad(sum(tanh(t)), [t], { createGraph: true });
      const [b] = grad(sum(a!), [t], { createGraph: true });
      return grad(sum(b!), [t]);
    });
    const y = Math.tanh(0.7);
    expect(g![0]).toBeCloseTo((1 - y * y) * (6 * y * y - 2), 4);
  });
  test('a fused op says that it cannot', () => {
    scope(() => {
      const z = requireGrad(tensor([1, 2, 3], { shape: [1, 3] }));
      const [g] = grad(sum(lpDistance(z, zeros([2, 3]))), [z], { createGraph: true });
      expect(() => grad(sum(g!), [z])).toThrow(
        'lpDistance is a fused op whose gradient cannot be differentiated again; write this part with ' +
          'elementwise ops, matmul and reductions',
      );
    });
  });
  test('a masked gradient is masked once, with and without a relu of its own', async () => {
    const [a, b] = await readAll(() => {
      const v = requireGrad(tensor([1, -1], { shape: [1, 2] }));
      const w = tensor([1, 0, 0, 1], { shape: [2, 2] });
      return [
        ...grad(sum(linear(relu(linear(v, w, zeros([2]))), w)), [v]),
        ...grad(sum(linear(linear(v, w, zeros([2]), { activation: 'relu' }), w)), [v]),
      ];
    });
    expect([Array.from(a!), Array.from(b!)]).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });
});

describe('rules', () => {
  /** y = 2 x as an op of its own that counts the calls of its two gradients. */
  const twice = (calls: string[], forms: ('gradient' | 'fused')[]) => {
    const gradient = (dy: Tensor): Tensor[] => (calls.push('gradient'), [mul(dy, 2)]);
    const fused = (dy: Tensor, into: Into): Tensor[] => {
      calls.push('fused');
      const dx = into.gradient(0);
      accumulateInto(clear(dx), dy);
      accumulateInto(dx, dy);
      return [dx];
    };
    const rule = { ...(forms.includes('gradient') && { gradient }), ...(forms.includes('fused') && { fused }) };
    return (x: Tensor): Tensor =>
      record(
        'twice',
        noGrad(() => mul(x, 2)),
        [x],
        rule as Rule,
      );
  };

  test('the tape takes the fused gradient, and the other where it is differentiated again', async () => {
    for (const forms of [['gradient'], ['fused'], ['gradient', 'fused']] as const) {
      const calls: string[] = [];
      const op = twice(calls, [...forms]);
      const [once] = await readAll(() => {
        const x = requireGrad(tensor([3]));
        return grad(sum(op(x)), [x]);
      });
      expect([...once!]).toEqual([2]);
      expect(calls).toEqual([forms.at(-1)]);
      const second = (): Promise<Float32Array[]> =>
        readAll(() => {
          const x = requireGrad(tensor([3]));
          const [g] = grad(sum(op(square(x))), [x], { createGraph: true });
          return grad(sum(g!), [x]);
        });
      if (forms[0] === 'gradient') {
        expect([...(await second())[0]!]).toEqual([4]);
        expect(calls[1]).toBe('gradient');
      } else
        await expect(second()).rejects.toThrow('twice is a fused op whose gradient cannot be differentiated again');
    }
  });

  test('a gradient that is a function is made for inputs that track gradients only', async () => {
    const [dx] = await readAll(() => {
      const [x, c] = [requireGrad(tensor([3])), tensor([5])];
      const refused = (): Tensor => {
        throw new Error('asked for a constant');
      };
      const y = record(
        'second',
        noGrad(() => mul(x, c)),
        [c, x],
        { gradient: (dy) => [refused, () => mul(dy, c)] },
      );
      return grad(sum(y), [x]);
    });
    expect([...dx!]).toEqual([5]);
  });

  test('the place in the arena is given out once in a pass, and never to grad or with accumulate', () => {
    const arena = new Arena(gpu, new Map([['w', { shape: [1], data: Float32Array.of(3) }]]));
    const w = arena.parameters.get('w')!;
    const given: boolean[] = [];
    const op = (): Tensor =>
      record(
        'op',
        noGrad(() => mul(w, 2)),
        [w],
        {
          fused: (dy, into) => {
            const dx = into.gradient(0);
            given.push(dx.storage === arena.grads.storage);
            accumulateInto(clear(dx), dy);
            return [dx];
          },
        },
      );
    scope(() => {
      backward(sum(add(op(), op())));
      backward(sum(op()), { accumulate: true });
      grad(sum(op()), [w]);
      backward(sum(op()));
    });
    expect(given).toEqual([true, false, false, false, true]);
    arena.dispose();
  });

  test('the mask of a relu is asked for where it may be, through views, and noted', () => {
    const asked = (run: (v: Tensor, spy: (x: Tensor, isRelu?: boolean) => Tensor) => void): unknown[] => {
      const seen: unknown[] = [];
      const spy = (x: Tensor, isRelu = false): Tensor =>
        record(
          'spy',
          noGrad(() => mul(x, 1)),
          [x],
          {
            isRelu,
            fused: (dy, into) => {
              seen.push([into.isMasked, into.masks(0)]);
              return [noGrad(() => mul(dy, 1))];
            },
          },
        );
      scope(() => run(requireGrad(tensor([1, 2])), spy));
      return seen;
    };
    // The second spy is told that its dy is masked, because the first was asked to.
    expect(asked((v, spy) => backward(sum(spy(reshape(spy(v, true), [2, 1])))))).toEqual([
      [false, true],
      [true, false],
    ]);
    // A second use that masks nothing spoils it.
    expect(
      asked((v, spy) => {
        const h = spy(v, true);
        backward(sum(add(spy(h), h)));
      }),
    ).toEqual([
      [false, true],
      [false, false],
    ]);
    // The gradient of the output itself is wanted without the mask.
    expect(
      asked((v, spy) => {
        const h = spy(v, true);
        grad(sum(spy(h)), [h, v]);
      }),
    ).toEqual([
      [false, false],
      [false, false],
    ]);
  });

  test('a leaf is no output of a relu, whatever computed its values', async () => {
    const [dh] = await readAll(() => {
      const w = tensor([1, 0, 0, 1], { shape: [2, 2] });
      const v = tensor([1, -1], { shape: [1, 2] });
      const h = requireGrad(noGrad(() => linear(v, w, zeros([2]), { activation: 'relu' })));
      backward(sum(linear(h, w, zeros([2]))));
      return [takeGrad(h)];
    });
    expect([...dh!]).toEqual([1, 1]);
  });
});
