import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NdArray, tensor, type DType, type Tensor } from 'evenkeel';
import { apgd, evaluateRobustness, fgsm, pgd, squareAttack } from 'evenkeel/attack';
import {
  certifyBounds,
  certifyDataset,
  certifyMargin,
  Smooth,
  smoothedPredictions,
  certifyAtRadius,
  certifyInputSpecific,
  certifyStaged,
} from 'evenkeel/certify';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import * as metrics from 'evenkeel/metrics';
import { Linear, linfDistMlp, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { evaluate, fit } from 'evenkeel/train';
import { each } from '../support/certify.ts';

/* Values of the host: nested arrays, NdArrays and Tensors wherever an array is asked for, and a sentence for what is none. */

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return String(error);
  }
  return 'no error';
};

describe('nested arrays give their shape', () => {
  const cases: [values: unknown, shape: number[], flat: number[]][] = [
    [[1, 2], [2], [1, 2]],
    [
      [
        [1, 2],
        [3, 4],
      ],
      [2, 2],
      [1, 2, 3, 4],
    ],
    [
      [[1], [2], [3]],
      [3, 1],
      [1, 2, 3],
    ],
    [
      [[[1, 2]], [[3, 4]]],
      [2, 1, 2],
      [1, 2, 3, 4],
    ],
    [
      [Float32Array.of(1, 2), [3, 4]],
      [2, 2],
      [1, 2, 3, 4],
    ],
    [[true, false], [2], [1, 0]],
    [[], [0], []],
    [[[], []], [2, 0], []],
    [new NdArray(Float64Array.of(1, 2), [2, 1]), [2, 1], [1, 2]],
    [{ data: [1, 2, 3, 4], shape: [2, 2] }, [2, 2], [1, 2, 3, 4]],
    [Int8Array.of(-1, 1), [2], [-1, 1]],
    [7, [], [7]],
  ];
  test.each(cases)('%#', async (values, shape, flat) => {
    using t = tensor(values as number[]);
    expect(t.shape).toEqual(shape);
    expect(Array.from(await t.read())).toEqual(flat);
    if (typeof values === 'number' || values instanceof NdArray || !Array.isArray(values)) return;
    const array = new NdArray(values as number[]);
    expect([array.shape, Array.from(array.data)]).toEqual([shape, flat]);
    expect(array.data).toBeInstanceOf(Float32Array);
  });
  test('a shape of its own, and the type', async () => {
    using t = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { shape: [4], dtype: 'i32' },
    );
    expect(t.shape).toEqual([4]);
    t.write([
      [5, 6],
      [7, 8],
    ]);
    expect(Array.from(await t.read())).toEqual([5, 6, 7, 8]);
    expect(new NdArray(Int32Array.of(1, 2, 3)).shape).toEqual([3]);
    expect(
      new NdArray(
        [
          [1, 2],
          [3, 4],
        ],
        [4, 1],
      ).shape,
    ).toEqual([4, 1]);
    expect(() => new NdArray([1, 2], [3])).toThrow('NdArray: shape [3] holds 3 elements, data has 2');
  });
});

describe('what is no array of numbers gets a sentence', () => {
  const bad: [values: unknown, want: string][] = [
    [[[1, 2], [3]], 'RangeError: WHAT row 1 has 1 entries, expected 2 as in row 0'],
    [
      [
        [[1, 2]],
        [
          [3, 4],
          [5, 6],
        ],
      ],
      'RangeError: WHAT row 1 has 2 entries, expected 1 as in row 0',
    ],
    [
      [
        [
          [1, 2],
          [3, 4],
        ],
        [[5, 6], [7]],
      ],
      'RangeError: WHAT row 1, 1 has 1 entries, expected 2 as in row 0, 0',
    ],
    [[[1, 2], 3], 'RangeError: WHAT row 1 is 3, expected a list as row 0'],
    [[1, [2, 3]], 'RangeError: WHAT[1] is a list of 2, expected a number as [0]'],
    [
      [
        [1, 2],
        [3, [4]],
      ],
      'RangeError: WHAT[1][1] is a list of 1, expected a number as [1][0]',
    ],
    [['1', '2'], 'TypeError: WHAT[0] is "1", expected a number'],
    [[1, undefined], 'TypeError: WHAT[1] is undefined, expected a number'],
    [[[1, null]], 'TypeError: WHAT[0][1] is null, expected a number'],
    [BigInt64Array.of(1n), 'TypeError: WHAT[0] is the bigint 1, expected a number'],
    ['12', 'TypeError: WHAT is "12", expected an array of numbers, nested arrays, or an NdArray'],
    [null, 'TypeError: WHAT is null, expected an array of numbers'],
    [undefined, 'TypeError: WHAT is undefined, expected an array of numbers'],
    [{ a: 1, b: 2 }, 'TypeError: WHAT is an object with a, b, expected an array of numbers'],
    [Promise.resolve([1]), 'TypeError: WHAT is a promise; await it first, expected an array of numbers'],
    [crossEntropyLoss, 'TypeError: WHAT is the function crossEntropyLoss, expected an array of numbers'],
    [{ data: [1, 2, 3], shape: [2, 2] }, 'RangeError: WHAT has 3 elements, expected 4 for shape [2,2]'],
    [
      { data: 'ab', shape: [2] },
      'TypeError: WHAT has data that are "ab" and a shape that is a list of 1, expected lists of numbers',
    ],
  ];
  test.each(bad)('%#', (values, want) => {
    const of = (what: string): string => want.replace('WHAT', what);
    expect(message(() => tensor(values as number[]))).toContain(of('tensor: values'));
    expect(message(() => makeDataset(values as number[], [0]))).toContain(of('makeDataset: x'));
    expect(message(() => metrics.accuracy(values as number[][], [0]))).toContain(of('accuracy: scores'));
    if (typeof values === 'object' && values !== null && 'shape' in values) return;
    expect(message(() => new NdArray(values as number[]))).toContain(of('NdArray: values'));
  });
  test('a Tensor where the host is asked', () => {
    using t = tensor([[0.5, 0.5]]);
    using l = tensor([0], { dtype: 'i32' });
    const want = 'is a Tensor, expected values on the host: await t.array() first';
    expect(message(() => tensor(t as never))).toBe(`TypeError: tensor: values ${want}`);
    expect(message(() => metrics.accuracy(t as never, [0]))).toBe(`TypeError: accuracy: scores ${want}`);
    expect(message(() => metrics.accuracy([[1, 0]], l as never))).toBe(`TypeError: accuracy: labels ${want}`);
    expect(message(() => metrics.nll(t as never, [0]))).toBe(`TypeError: nll: probs ${want}`);
    expect(message(() => metrics.averageCertifiedRadius(t as never, [0]))).toBe(
      `TypeError: averageCertifiedRadius: radii ${want}`,
    );
    expect(message(() => metrics.forgetting(1).update(l as never))).toBe(`TypeError: forgetting: correct ${want}`);
    expect(message(() => metrics.groupAccuracy([[1, 0]], [0], l as never))).toBe(
      `TypeError: groupAccuracy: groups ${want}`,
    );
    expect(message(() => makeDataset([[1]], l as never))).toBe(`TypeError: makeDataset: y ${want}`);
  });
  test('labels that are text', () => {
    expect(message(() => metrics.accuracy([[1, 0]], ['cat'] as never))).toBe(
      'TypeError: accuracy: labels[0] is "cat", expected a number',
    );
    expect(message(() => makeDataset([[1]], ['cat'] as never))).toBe(
      'TypeError: makeDataset: y[0] is "cat", expected a number',
    );
    expect(message(() => metrics.accuracy([[1, 0]], [[0]] as never))).toBe(
      'RangeError: accuracy: labels has shape [1,1], expected a list with one axis',
    );
  });
});

describe('integers hold what they are given, or refuse it', () => {
  const bad: [dtype: 'i32' | 'u32', values: number[], at: number][] = [
    ['i32', [3e9, NaN], 0],
    ['i32', [1, NaN], 1],
    ['i32', [2 ** 31], 0],
    ['i32', [-(2 ** 31) - 1], 0],
    ['i32', [Infinity], 0],
    ['i32', [0, -Infinity], 1],
    ['u32', [-1], 0],
    ['u32', [2 ** 32], 0],
    ['u32', [NaN], 0],
    ['u32', [1, 2, 1e20], 2],
  ];
  test.each(bad)('%s %j', (dtype, values, at) => {
    const range = dtype === 'i32' ? '-2147483648..2147483647' : '0..4294967295';
    for (const of of [values, Float64Array.from(values)]) {
      expect(message(() => tensor(of, { dtype }))).toBe(
        `RangeError: tensor: values[${at}] is ${values[at]}, expected a number in ${range} for ${dtype}`,
      );
    }
    using t = tensor(
      new Int32Array(values.length).map(() => 1),
      { dtype },
    );
    expect(message(() => t.write(values))).toBe(
      `RangeError: write: values[${at}] is ${values[at]}, expected a number in ${range} for ${dtype}`,
    );
  });
  const good: [dtype: DType, values: number[], want: number[]][] = [
    ['i32', [2 ** 31 - 1, -(2 ** 31), 1.9, -1.9, 2147483647.5], [2147483647, -2147483648, 1, -1, 2147483647]],
    ['u32', [4294967295, 0, 1.9, -0.5], [4294967295, 0, 1, 0]],
    ['bool', [0, -0, 1, 2, -1, 0.5, NaN, Infinity], [0, 0, 1, 1, 1, 1, 1, 1]],
    ['f16', [65504, 65519, 65520, -1e9, 1e-9, Infinity], [65504, 65504, Infinity, -Infinity, 0, Infinity]],
    ['f32', [1e39, -1e39, 0.1], [Infinity, -Infinity, Math.fround(0.1)]],
  ];
  test.each(good)('%s %j', async (dtype, values, want) => {
    using t = tensor(values, { dtype });
    expect(Array.from(await t.read(), (v) => v + 0)).toEqual(want);
  });
});

describe('a Tensor, an NdArray and nested arrays give the same', () => {
  const rows = [
    [0.1, 0.9, 0.3],
    [0.8, 0.2, 0.4],
    [0.5, 0.5, 0.6],
    [0.9, 0.7, 0.1],
  ];
  const y = [0, 1, 0, 1];
  let model: Sequential;
  let x: Tensor;
  let labels: Tensor<'i32'>;
  beforeAll(() => {
    model = Sequential(Linear(3, 2)).init({ seed: 2 });
    x = tensor(rows);
    labels = tensor(y, { dtype: 'i32' });
  });
  afterAll(() => [model, x, labels].forEach((t) => t.dispose()));

  /** Calls on each form of inputs and labels. */
  const forms = (): [unknown, unknown][] => [
    [rows, y],
    [new NdArray(rows), y],
    [x, labels],
    [rows.map((r) => Float32Array.from(r)), new NdArray(Int32Array.from(y))],
  ];
  async function all(run: (x: never, y: never) => Promise<unknown>): Promise<void> {
    const found = [];
    for (const [a, b] of forms()) found.push(JSON.stringify(await run(a as never, b as never)));
    for (const other of found) expect(other).toBe(found[0]);
    expect(found[0]!.length).toBeGreaterThan(2);
  }
  const reads = async (t: Promise<Tensor>): Promise<number[]> => {
    using found = await t;
    return Array.from(await found.read());
  };
  test('predict, logits', async () => {
    await all((a) => model.predict(a));
    await all((a) => model.logits(a));
  });
  test('evaluate', () => all((a, b) => evaluate(model, { x: a, y: b })));
  test('Smooth', async () => {
    using smooth = new Smooth(model, { numClasses: 2, sigma: 0.1 });
    await all((a) => smooth.certify(a, { n: 50 }));
    await all((a) => smooth.predict(a, { n: 50 }));
    await all((a) => smooth.count(a, { n: 50 }));
    await all((a) => certifyAtRadius(smooth, a, { radius: 0.01, maxSamples: 100 }));
    await all((a) => certifyStaged(smooth, a, { radius: 0.01, stages: [50] }));
    await all((a) => certifyInputSpecific(smooth, a, { decline: 1, maxSamples: 50 }));
    for (const one of [[rows[0]!], new NdArray([rows[0]!]), [Float32Array.from(rows[0]!)]])
      expect(each(await smooth.certify(one, { n: 50 }))[0]).toEqual(each(await smooth.certify(rows, { n: 50 }))[0]);
    await all(async (a, b) => {
      const lines = [];
      for await (const { row } of certifyDataset(smooth, { x: a, y: b }, { n: 50 })) lines.push({ ...row, seconds: 0 });
      return lines;
    });
  });
  test('smoothedPredictions', () =>
    all((a) => reads(smoothedPredictions(model, a, { numClasses: 2, sigma: 0.1, n: 5 }))));
  test('certifyBounds, certifyMargin', async () => {
    await all((a, b) => certifyBounds(model, a, { labels: b, eps: 0.01 }));
    using net = linfDistMlp([3, 2]).init();
    net.power.set(Infinity);
    await all((a) => certifyMargin(net, a));
  });
  test('attacks', async () => {
    await all((a, b) => reads(fgsm(model, a, b, { eps: 0.1 })));
    await all((a, b) => reads(pgd(model, a, b, { eps: 0.1, steps: 2 })));
    await all((a, b) => reads(apgd(model, a, b, { eps: 0.1, steps: 2 })));
    await all((a, b) => reads(squareAttack(model, a, b, { eps: 0.1, queries: 4 })));
    await all((a, b) => evaluateRobustness(model, a, b, { eps: 0.1, steps: 2, queries: 4 }));
    await expect(pgd(model, rows, [0, 1, 0.5, 1], { eps: 0.1 })).rejects.toThrow(
      'pgd: labels[2] is 0.5, expected an integer',
    );
    await expect(pgd(model, rows, ['cat'] as never, { eps: 0.1 })).rejects.toThrow(
      'pgd: labels[0] is "cat", expected a number',
    );
    await expect(apgd(model, labels as never, labels, { eps: 0.1 })).rejects.toThrow('apgd: x is i32, expected f32');
    await expect(apgd(model, x, x as never, { eps: 0.1 })).rejects.toThrow('apgd: labels is f32, expected i32');
  });
  test('metrics take NdArrays and nested arrays', () => {
    const probs = [
      [0.5, 0.5],
      [0.1, 0.9],
      [0.3, 0.7],
      [1, 0],
    ];
    const forms = [
      [probs, y],
      [new NdArray(probs), new NdArray(Int32Array.from(y))],
      [probs.map((r) => Float64Array.from(r)), Uint8Array.from(y)],
    ] as [number[][], number[]][];
    for (const [p, l] of forms) {
      expect([
        metrics.accuracy(p, l),
        metrics.brierScore(
          [
            [0.5, 0.5],
            [0, 1],
            [0, 1],
            [1, 0],
          ],
          l,
        ),
      ]).toEqual([0.5, (0.5 + 0 + 2 + 2) / 4]);
      expect(metrics.splitAccuracy(p, l, l).all).toBe(0.5);
      expect(metrics.groupAccuracy(p, l, l)).toEqual([0.5, 0.5]);
      expect(metrics.bootstrapInterval(metrics.accuracy, p, l, { resamples: 5 }).value).toBe(0.5);
      expect(metrics.areaUnderMargin(4).update(p, l)).toBeUndefined();
      expect(
        metrics.certifiedAccuracy(new NdArray(Float64Array.of(1, 2)), new NdArray(Uint8Array.of(1, 0)), [0]),
      ).toEqual([0.5]);
    }
  });
  test('makeDataset', () => {
    const data = makeDataset([[1, 2]], [0]);
    expect([data.x.shape, Array.from(data.x.data), Array.from(data.y), data.numClasses]).toEqual([
      [1, 2],
      [1, 2],
      [0],
      1,
    ]);
    expect(message(() => makeDataset([[1, 1e39]], [0]))).toBe(
      'RangeError: makeDataset: x is Infinity in example 0, expected finite numbers',
    );
  });
  test('what is none is refused in a sentence', async () => {
    await expect(model.predict({ a: 1 } as never)).rejects.toThrow(
      'x is an object with a, expected an array of numbers',
    );
    await expect(model.predict([])).rejects.toThrow('x has shape [0], expected (n, ...)');
    await expect(model.predict(Promise.resolve(rows) as never)).rejects.toThrow('x is a promise; await it first');
    await expect(evaluate(model, { x: rows, y: ['a', 'b', 'c', 'd'] as never })).rejects.toThrow(
      'evaluate: y[0] is "a", expected a number',
    );
    await expect(certifyBounds(model, rows, { labels: 'abcd' as never, eps: 0.1 })).rejects.toThrow(
      'certifyBounds: labels is "abcd", expected an array of numbers',
    );
    using smooth = new Smooth(model, { numClasses: 2, sigma: 0.1 });
    await expect(smooth.certify({ a: 1 } as never)).rejects.toThrow('Smooth.certify: x is an object with a, expected');
    await expect(smooth.certify([[1e39, 0, 0]])).rejects.toThrow('Smooth.certify: x has values that are not finite');
    await expect(evaluateRobustness(model, [['a']] as never, [0], { eps: 0.1 })).rejects.toThrow(
      'evaluateRobustness: images[0][0] is "a", expected a number',
    );
  });
  test('a loss that was not called', async () => {
    const data = makeDataset(rows, y);
    await expect(
      fit(model, data, { loss: crossEntropyLoss as never, optimizer: sgd({ lr: 0.1 }), epochs: 1 }),
    ).rejects.toThrow(
      'crossEntropyLoss: options are a tensor, expected an object; pass the result of crossEntropyLoss(), not crossEntropyLoss',
    );
  });
});
