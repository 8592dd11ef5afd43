import { describe, expect, test } from 'vitest';
import { backward, capture, grad, noGrad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { absgd, crossEntropyLoss, defineLoss, klDro, type Absgd, type AbsgdOptions } from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { crossEntropy as fused, div, reshape, softmax } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import goldenFile from '../golden/absgd.json';
import { expectSameBits, expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { casesOf, dense, flat, type GoldenCase } from '../support/golden.ts';
import { planned } from '../support/golden-op.ts';
import { sample } from '../support/sample.ts';
import { clusters } from '../support/synthetic.ts';
import { U } from '../support/tolerance.ts';

/** The logits themselves as losses, so that the gradient is the weight. */
const given = () => defineLoss({ name: 'given', values: (z) => reshape(z, [z.shape[0]!]) });
const step = (loss: Absgd, values: readonly number[]): Promise<[loss: number, weights: number[]]> =>
  readAll(() => {
    const z = requireGrad(tensor(values, { shape: [values.length, 1] }));
    const y = loss(
      z,
      values.map(() => 0),
    );
    backward(y);
    return [y, takeGrad(z)];
  }).then(([y, p]) => [y![0]!, Array.from(p!)]);

function expectClose(got: readonly number[], want: readonly number[], relative: number, what: string): void {
  const largest = Math.max(...want.map(Math.abs));
  expectWithin(
    got,
    { shape: [want.length], data: Float64Array.from(want) },
    () => relative * largest + 2 ** -126,
    what,
  );
}

test('every golden case runs', () =>
  expect([planned({ file: goldenFile, later: {} }).length, goldenFile.length]).toEqual([45, 45]));

describe('golden values', () => {
  const run = async (c: GoldenCase, options: AbsgdOptions): Promise<void> => {
    const { lambda, gamma, alpha } = c.options as { lambda: number; gamma: number; alpha: number };
    const { data, shape } = dense(c.inputs.losses);
    const size = shape[1]!;
    const loss = absgd(given(), { lambda, gamma, alpha, ...options });
    for (let t = 0; t < shape[0]!; t++) {
      const batch = data.slice(t * size, (t + 1) * size);
      const [value, p] = await step(loss, batch);
      const { logU, logMass } = await loss.state();
      // exp passes on the rounding of L / lambda and of log u.
      const relative = Math.max(
        1e-5,
        8 * Math.max(lambda < 200 ? Math.abs(logU) : 0, ...batch.map((v) => Math.abs(v / lambda))) * U,
      );
      expectClose(p, flat(c.outputs.p).slice(t * size, (t + 1) * size), relative, `p of batch ${t}`);
      if (c.outputs.loss) expectClose([value], [flat(c.outputs.loss)[t]!], relative, `loss of batch ${t}`);
      const want = c.outputs.logU ? flat(c.outputs.logU)[t]! : c.outputs.u ? Math.log(flat(c.outputs.u)[t]!) : NaN;
      if (lambda < 200)
        expect(Math.abs(logU - (c.options.init === 'debias' ? logMass : 0) - want), `log u of batch ${t}`).toBeLessThan(
          1e-5 * Math.max(1, Math.abs(want)),
        );
    }
    loss.dispose();
  };
  const forms = casesOf(goldenFile, 'absgd').filter((c) => c.inputs.losses);
  test.each(forms.filter((c) => c.options.form === 'official'))('$name', (c) => run(c, { compat: 'released-code' }));
  test.each(forms.filter((c) => c.options.form === 'logU'))('$name', (c) =>
    run(c, { init: c.options.init as 'debias' | 'firstBatch' | 'zero' }),
  );
  test.each(casesOf(goldenFile, 'absgdNoisy'))('$name', (c) => run(c, { compat: 'released-code', floor: 1 }));

  test.each(casesOf(goldenFile, 'klDro'))('$name', async (c) => {
    const lambda = c.options.lambda as number;
    const losses = flat(c.inputs.losses);
    const [value, p] = await readAll(() => {
      const x = requireGrad(tensor(losses));
      const y = klDro(x, { lambda });
      return [y, ...grad(y, [x])];
    });
    expectClose(Array.from(value!), [c.outputs.objective as number], 1e-6, 'objective');
    expectClose(Array.from(p!), flat(c.outputs.p), 1e-6, 'p');
    // gamma = 1 and alpha = 1 are the weights in the batch.
    const loss = absgd(given(), { lambda, gamma: 1 });
    expectClose((await step(loss, losses))[1], flat(c.outputs.p), 1e-5, 'p of gamma 1');
    loss.dispose();
  });

  test('logits-weighted-ce', async () => {
    const c = goldenFile.find(({ name }) => name === 'logits-weighted-ce') as unknown as GoldenCase;
    const { lambda, gamma, alpha } = c.options as { lambda: number; gamma: number; alpha: number };
    const { data, shape } = dense(c.inputs.logits);
    const loss = absgd(crossEntropyLoss({ weight: flat(c.inputs.classWeights) }), {
      lambda,
      gamma,
      alpha,
      compat: 'released-code',
    });
    const [y, g] = await readAll(() => {
      const z = requireGrad(tensor(data, { shape }));
      const value = loss(z, flat(c.inputs.labels));
      return [value, ...grad(value, [z])];
    });
    expectClose(Array.from(y!), [c.outputs.loss as number], 1e-5, 'loss');
    expectClose(Array.from(g!), flat(c.outputs.gradLogits), 1e-5, 'gradLogits');
    expect(Math.exp((await loss.state()).logU) / (c.outputs.u as number)).toBeCloseTo(1, 4);
    loss.dispose();
  });
});

describe('identities', () => {
  const losses = [0.1, 0.5, 2, 4];
  const weights = async (options: AbsgdOptions, values: readonly number[] = losses): Promise<number[]> => {
    const loss = absgd(given(), options);
    const [, p] = await step(loss, values);
    loss.dispose();
    return p;
  };
  test.each([Infinity, -Infinity])('lambda %d is the mean', async (lambda) =>
    expect(await weights({ lambda })).toEqual([0.25, 0.25, 0.25, 0.25]),
  );
  test('a large lambda of either sign is nearly the mean', async () => {
    for (const lambda of [1e6, -1e6]) expectClose(await weights({ lambda }), [0.25, 0.25, 0.25, 0.25], 1e-5, 'p');
  });
  test('lambda towards 0 finds the largest loss, from below the smallest', async () => {
    expectClose(await weights({ lambda: 0.01 }), [0, 0, 0, 1], 8 * 400 * U, 'p');
    expectClose(await weights({ lambda: -0.01 }), [1, 0, 0, 0], 8 * 400 * U, 'p');
  });
  test('lambda below 0: weights decrease in the loss', async () => {
    const p = await weights({ lambda: -2 });
    for (let i = 1; i < 4; i++) expect(p[i]!).toBeLessThan(p[i - 1]!);
  });
  test('a debiased start has weights of sum 1; from zero the sum is 1 / (gamma alpha)', async () => {
    const sum = (p: readonly number[]): number => p.reduce((t, v) => t + v, 0);
    expect(sum(await weights({ lambda: 2, gamma: 0.1 }))).toBeCloseTo(1, 5);
    expect(sum(await weights({ lambda: 2, gamma: 0.1, init: 'firstBatch' }))).toBeCloseTo(1, 5);
    expect(sum(await weights({ lambda: 2, gamma: 0.7, alpha: 0.5, init: 'zero' }))).toBeCloseTo(2.857143, 4);
    expect(sum(await weights({ compat: 'released-code' }))).toBeCloseTo(20, 3);
  });
  test('a constant added to all losses changes nothing for gamma 1', async () => {
    expectClose(
      await weights(
        { lambda: 2, gamma: 1 },
        losses.map((v) => v + 8),
      ),
      await weights({ lambda: 2, gamma: 1 }),
      1e-5,
      'p',
    );
  });
  test('constant losses are a fixed point: u = exp(c / lambda), p = 1 / B', async () => {
    const loss = absgd(given(), { lambda: 0.5, gamma: 0.3 });
    for (let t = 0; t < 5; t++) expectClose((await step(loss, [3, 3, 3, 3]))[1], [0.25, 0.25, 0.25, 0.25], 1e-5, 'p');
    const { logU, logMass } = await loss.state();
    expect(logU - logMass).toBeCloseTo(6, 4);
    loss.dispose();
  });
  test('the vector of the specification: the same batch three times', async () => {
    const loss = absgd(given(), { lambda: 2, gamma: 0.9, alpha: 1, init: 'zero' });
    for (const [sum, value] of [
      [1.11111111, 3.19152919],
      [1.01010101, 2.90139017],
      [1.001001, 2.87525152],
    ] as const) {
      const [y, p] = await step(loss, losses);
      expect(p.reduce((t, v) => t + v, 0)).toBeCloseTo(sum, 5);
      expect(y).toBeCloseTo(value, 4);
    }
    loss.dispose();
  });
  test('F = mean + variance / (2 lambda) for large lambda', async () => {
    const [y] = await readAll(() => [klDro(tensor(losses), { lambda: 1000 })]);
    const mean = 1.65;
    const variance = losses.reduce((t, v) => t + (v - mean) ** 2 / 4, 0);
    expect(y![0]).toBeCloseTo(mean + variance / 2000, 5);
  });
  test('losses far beyond the range of exp stay finite, and no weight exceeds 1 / (gamma alpha)', async () => {
    for (const lambda of [0.5, -0.5]) {
      const loss = absgd(given(), { lambda, gamma: 0.5 });
      for (const batch of [
        [1, 2, 3],
        [1e4, 0, 5],
        [1, 2, 3],
        [-1e4, 1e4, 0],
      ]) {
        const [y, p] = await step(loss, batch);
        expect(Number.isFinite(y)).toBe(true);
        for (const v of p) expect(v >= 0 && v <= (1 / 0.5) * 1.01).toBe(true);
      }
      loss.dispose();
    }
  });
  test('extreme logits stay finite', async () => {
    const loss = absgd(crossEntropyLoss(), { lambda: 0.5 });
    const got = await readAll(() => {
      const z = requireGrad(tensor([1e4, -1e4, 0, -1e4, 1e4, 0], { shape: [2, 3] }));
      const y = loss(z, [1, 1]);
      return [y, ...grad(y, [z])];
    });
    for (const v of got.flatMap((g) => Array.from(g))) expect(Number.isFinite(v)).toBe(true);
    loss.dispose();
  });
});

describe('a wrapper of any loss', () => {
  const z = sample([6, 4]);
  const labels = [0, 1, 2, 3, 0, 1];
  const values = async (make: (x: Tensor) => Tensor): Promise<Float32Array> =>
    (await readAll(() => [make(tensor(z.data, { shape: z.shape }))]))[0]!;

  test('reductions agree, and dense logits keep their shape', async () => {
    const reduced = async (
      reduction: 'none' | 'sum' | 'mean' | 'weightedMean',
      shape = [6, 4],
      sampleWeight?: number[],
    ): Promise<Float32Array> => {
      const loss = absgd(crossEntropyLoss(), { lambda: 2 });
      const [y] = await readAll(() => [
        loss(tensor(z.data, { shape }), labels, {
          reduction,
          ...(sampleWeight && { sampleWeight: tensor(sampleWeight) }),
        }),
      ]);
      loss.dispose();
      return y!;
    };
    const each = await reduced('none');
    const total = each.reduce((t, v) => t + v, 0);
    expect((await reduced('sum'))[0]).toBeCloseTo(total, 4);
    expect((await reduced('mean'))[0]).toBeCloseTo(total / 6, 5);
    expect((await reduced('weightedMean'))[0]).toBeCloseTo(total / 6, 5);
    expectSameBits(await reduced('none', [2, 3, 4]), each, 'dense');
    // A row of weight 0 is a row that is not there; a row of weight 2 is two rows.
    const loss = absgd(crossEntropyLoss(), { lambda: 2 });
    const [listed] = await readAll(() => [
      loss(tensor([...z.data.slice(0, 16), ...z.data.slice(0, 4)], { shape: [5, 4] }), [...labels.slice(0, 4), 0]),
    ]);
    expect((await reduced('weightedMean', [6, 4], [2, 1, 1, 1, 0, 0]))[0]).toBeCloseTo(listed![0]!, 5);
    loss.dispose();
  });

  test('class weights of ones change nothing, others reach the base loss', async () => {
    const sgdMean = absgd(crossEntropyLoss(), { lambda: Infinity });
    const [mean] = await readAll(() => [fused(tensor(z.data, { shape: z.shape }), labels, { reduction: 'mean' })]);
    expect((await values((x) => sgdMean(x, labels)))[0]).toBeCloseTo(mean![0]!, 5);
    sgdMean.dispose();
    const loss = absgd(crossEntropyLoss(), { lambda: 2, gamma: 1 });
    const before = await values((x) => loss(x, labels));
    loss.setClassWeight([1, 1, 1, 1]);
    expectSameBits(await values((x) => loss(x, labels)), before, 'ones');
    loss.setClassWeight([3, 1, 1, 1]);
    expect((await values((x) => loss(x, labels)))[0]).not.toBe(before[0]);
    loss.dispose();
  });

  test('weights by row for reports: those that the loss has, without a move of u', async () => {
    const loss = absgd(crossEntropyLoss(), { lambda: 2, gamma: 0.5 });
    const base = crossEntropyLoss();
    const [first, weighted, plain, again] = await readAll(() => {
      const x = tensor(z.data, { shape: z.shape });
      const w = loss.weights(x, labels);
      const [value, each] = noGrad(() => [loss(x, labels, { reduction: 'none' }), loss.weights(x, labels)]);
      return [w, value!, base(x, labels, { reduction: 'none' }), each!];
    });
    expect(first!.reduce((t, v) => t + v, 0) / 6).toBeCloseTo(1, 5);
    first!.forEach((w, i) => expect(weighted![i]! / plain![i]!).toBeCloseTo(w, 4));
    expect(Array.from(again!)).toEqual(Array.from(first!));
    // The harder the row, the larger its weight.
    const order = (a: Float32Array): number[] => [...a.keys()].sort((p, q) => a[p]! - a[q]!);
    expect(order(first!)).toEqual(order(plain!));
    base.dispose();
    loss.dispose();
  });
  test('the weights are constants: the gradient is that of a loss with sample weights', async () => {
    const loss = absgd(crossEntropyLoss(), { lambda: 1.5, gamma: 1 });
    const [got, want] = await readAll(() => {
      const x = requireGrad(tensor(z.data, { shape: z.shape }));
      const each = fused(x, labels, { reduction: 'none' }).detach();
      const sampleWeight = reshape(softmax(reshape(div(each, 1.5), [1, 6])), [6]);
      return [...grad(loss(x, labels), [x]), ...grad(fused(x, labels, { reduction: 'sum', sampleWeight }), [x])];
    });
    expectClose(Array.from(got!), Array.from(want!), 1e-5, 'gradient');
    loss.dispose();
  });
});

describe('the state', () => {
  const batches = [1, 2, 3, 4, 5].map((seed) => sample([6, 4], { seed }).data);
  const labels = [0, 1, 2, 3, 0, 1];

  test('a captured step moves u as an eager one, bit by bit, and follows lambda', async () => {
    const make = (): Absgd => absgd(crossEntropyLoss({ weight: [1, 2, 1, 3] }), { lambda: 2, gamma: 0.4 });
    const [eager, captured] = [make(), make()];
    const x = requireGrad(tensor(batches[0]!, { shape: [6, 4] }));
    const y = tensor(labels, { dtype: 'i32' });
    let replay: ReturnType<typeof capture<Tensor[]>> | null = null;
    for (const [t, data] of batches.entries()) {
      for (const loss of [eager, captured]) loss.setLambda([Infinity, Infinity, 2, 2, -3][t]!);
      const want = await readAll(() => {
        const leaf = requireGrad(tensor(data, { shape: [6, 4] }));
        const value = eager(leaf, labels);
        return [value, ...grad(value, [leaf])];
      });
      x.write(data);
      if (replay) replay.run();
      else
        replay = capture(() => {
          const value = captured(x, y);
          return [value, ...grad(value, [x])];
        });
      const got = (await Promise.all(replay.value.map((v) => v.read()))) as Float32Array[];
      got.forEach((g, k) => expectSameBits(g, want[k]!, `output ${k} of step ${t}`));
      expect(await captured.state()).toEqual(await eager.state());
    }
    for (const t of [replay!, x, y, eager, captured]) t.dispose();
  });

  test(
    'plain steps leave u alone; another lambda starts it anew, the same one does not; the released code keeps ' + 'it',
    async () => {
      const loss = absgd(given(), { lambda: Infinity });
      await step(loss, [1, 2]);
      const untouched = { logU: Math.fround(-1e38), logMass: Math.fround(-1e38) };
      expect(await loss.state()).toEqual({ lambda: Infinity, ...untouched });
      loss.setLambda(2);
      await step(loss, [1, 2]);
      const moved = await loss.state();
      expect(moved.logU).toBeGreaterThan(0);
      loss.setLambda(2);
      expect(await loss.state()).toEqual(moved);
      loss.setLambda(3);
      expect(await loss.state()).toEqual({ lambda: 3, ...untouched });
      expect(loss.lambda).toBe(3);
      const released = absgd(given(), { compat: 'released-code', lambda: 10 });
      await step(released, [1, 2]);
      const kept = await released.state();
      released.setLambda(1);
      expect(await released.state()).toEqual({ ...kept, lambda: 1 });
      expect((released.setLambda(200), await step(released, [1, 2]))[1]).toEqual([0.5, 0.5]);
      for (const l of [loss, released]) l.dispose();
    },
  );

  test('saved and restored, also before the first step, a run goes on bit by bit', async () => {
    const loss = absgd(given(), { lambda: 2, gamma: 0.3 });
    const fresh = await loss.state();
    await step(loss, [1, 2, 3]);
    const saved = await loss.state();
    const want = await step(loss, [2, 0, 1]);
    const other = absgd(given(), { gamma: 0.3 });
    other.setState(JSON.parse(JSON.stringify(saved)));
    expect(await step(other, [2, 0, 1])).toEqual(want);
    other.setState(fresh);
    await step(other, [1, 2, 3]);
    expect(await step(other, [2, 0, 1])).toEqual(want);
    for (const l of [loss, other]) l.dispose();
  });

  test(
    'its first stage, lambda = Infinity, survives JSON; any other ' + 'word or null is refused and changes nothing',
    async () => {
      for (const lambda of [Infinity, -Infinity]) {
        const [loss, other] = [absgd(given(), { lambda, gamma: 0.3 }), absgd(given(), { lambda: 2, gamma: 0.3 })];
        await step(loss, [1, 2, 3]);
        const state = await loss.state();
        expect(state.lambda).toBe(lambda);
        other.setState(JSON.parse(JSON.stringify(state)));
        expect(other.lambda).toBe(lambda);
        expect(await other.state()).toEqual(state);
        expect(await step(other, [2, 0, 1])).toEqual(await step(loss, [2, 0, 1]));
        for (const wrong of [null, 'inf', undefined, NaN, [1]])
          expect(() => other.setState({ ...state, lambda: wrong as never })).toThrow('absgd: lambda is');
        for (const field of ['logU', 'logMass'])
          expect(() => other.setState({ ...state, lambda: 3, [field]: null as never })).toThrow('absgd: the state has');
        expect(() => other.setState(null as never)).toThrow('absgd: the state is null, expected an object');
        expect(other.lambda).toBe(lambda);
        for (const l of [loss, other]) l.dispose();
      }
    },
  );

  test('the ends of lambda: no value or weight is NaN', async () => {
    const values = [1, 2, 40, 80];
    for (const lambda of [1.2e-38, 1e-37, 1e-20, 1e20, 8e37]) {
      for (const signed of [lambda, -lambda]) {
        const loss = absgd(given(), { lambda: signed, gamma: 1 });
        const got = await step(loss, values);
        for (const v of got.flat()) expect(Number.isFinite(v), `${signed}: ${v}`).toBe(true);
        loss.dispose();
        const [y, g] = await readAll(() => {
          const x = requireGrad(tensor(values));
          const value = klDro(x, { lambda: signed });
          return [value, ...grad(value, [x])];
        });
        const want = lambda > 1 ? 30.75 : signed > 0 ? 80 : 1;
        expect(y![0]).toBeCloseTo(want, 4);
        expect(Array.from(g!)).toEqual(values.map((v) => expect.closeTo(lambda > 1 ? 0.25 : Number(v === want), 5)));
      }
    }
  });

  test('inside noGrad the value is that of the step, and u stays', async () => {
    const loss = absgd(given(), { lambda: 2, gamma: 0.3 });
    await step(loss, [1, 2, 3]);
    const before = await loss.state();
    const [seen] = await readAll(() => noGrad(() => [loss(tensor([2, 0, 1], { shape: [3, 1] }), [0, 0, 0])]));
    expect(await loss.state()).toEqual(before);
    expect((await step(loss, [2, 0, 1]))[0]).toBe(seen![0]);
    loss.dispose();
  });

  test('fit trains with it, lambda switched between epochs', async () => {
    using model = Sequential(Linear(16, 10));
    const loss = absgd(crossEntropyLoss(), { lambda: Infinity, gamma: 0.5 });
    const history = await fit(model, clusters({ n: 200, seed: 1 }), {
      loss,
      optimizer: sgd({ lr: 0.1 }),
      epochs: 4,
      batchSize: 50,
      onEpoch: ({ epoch }) => (epoch + 1 === 2 ? loss.setLambda(2) : undefined),
    });
    expect(history.loss[1]!).toBeLessThan(history.loss[0]!);
    expect(history.loss[3]!).toBeLessThan(history.loss[2]!);
    expect((await loss.state()).logMass).toBeCloseTo(Math.log(1 - 0.5 ** 8), 4);
    loss.dispose();
  });
});

test('errors', () => {
  const base = crossEntropyLoss();
  expect(() => absgd(base, { lambda: 0 })).toThrow('absgd: lambda is 0, expected a number that is not 0');
  expect(() => absgd(base, { lambda: NaN })).toThrow('absgd: lambda is NaN, expected a number that is not 0');
  for (const lambda of [1e39, 1e38, 1e-38, 1e-40, -1e-300, -1e300]) {
    expect(() => absgd(base, { lambda })).toThrow(`absgd: lambda is ${lambda}, expected a magnitude from`);
    expect(() => absgd(base).setLambda(lambda)).toThrow(`absgd: lambda is ${lambda}, expected a magnitude from`);
    scope(() =>
      expect(() => klDro(tensor([1, 2]), { lambda })).toThrow(`klDro: lambda is ${lambda}, expected a magnitude from`),
    );
  }
  expect(() => absgd(base, { gamma: 0 })).toThrow('absgd: gamma is 0, expected 0 < gamma <= 1');
  expect(() => absgd(base, { gamma: 1.1 })).toThrow('absgd: gamma is 1.1, expected 0 < gamma <= 1');
  expect(() => absgd(base, { alpha: 0 })).toThrow('absgd: alpha is 0, expected a finite number > 0');
  expect(() => absgd(base, { floor: -1 })).toThrow('absgd: floor is -1, expected a finite number >= 0');
  expect(() => absgd(base, { init: 'none' as 'zero' })).toThrow(
    "absgd: init is 'none', expected 'debias', 'firstBatch' or 'zero'",
  );
  expect(() => absgd(base).setLambda(0)).toThrow('absgd: lambda is 0, expected a number that is not 0');
  expect(() => absgd(base).setState({ lambda: 1, logU: NaN, logMass: 0 })).toThrow(
    'absgd: the state has logU NaN and logMass 0, expected finite numbers',
  );
  scope(() => {
    expect(() => klDro(tensor([1]), { lambda: 0 })).toThrow(
      'klDro: lambda is 0, expected a finite number that is not 0',
    );
    expect(() => klDro(tensor([1], { shape: [1, 1] }), { lambda: 1 })).toThrow(
      'klDro: losses has shape [1,1], expected rank 1',
    );
  });
  base.dispose();
});
