import { expect, test } from 'vitest';
import { capture, customGrad, grad, prepare, valueAndGrad } from 'evenkeel';
import * as stats from 'evenkeel/stats';
import type { Tensor } from 'evenkeel';

const rows = { shape: [2, 1], data: Float64Array.of(1, 2) };
const fn = (x: Tensor): Tensor => x;
const table: [name: string, call: (options: object) => unknown, wrong: string, right: string][] = [
  ['cholesky', (o) => stats.cholesky({ shape: [1, 1], data: Float64Array.of(1) }, o), 'jiter', 'jitter'],
  [
    'solveTriangular',
    (o) =>
      stats.solveTriangular(
        { shape: [1, 1], data: Float64Array.of(1) },
        { shape: [1, 1], data: Float64Array.of(1) },
        o,
      ),
    'uper',
    'upper',
  ],
  ['classStatistics', (o) => stats.classStatistics(rows, [0, 1], 2, o), 'covarience', 'covariance'],
  ['tukey', (o) => stats.tukey([1], 0.5, o), 'epss', 'eps'],
  ['logisticRegression', (o) => stats.logisticRegression(rows, [0, 1], 2, o), 'sampleWeigth', 'sampleWeight'],
  ['samplesForRadius', (o) => stats.samplesForRadius(1, o), 'sigm', 'sigma'],
  ['valueAndGrad', (o) => valueAndGrad(fn, o), 'arguments', 'argument'],
  ['valueAndGrad', (o) => grad(fn, o), 'argumet', 'argument'],
  ['customGrad', (o) => customGrad((x: Tensor) => ({ value: x, gradient: () => [x] }), o), 'nam', 'name'],
  ['capture', (o) => capture(() => null, o), 'gpuu', 'gpu'],
];

test.each(table)('%s refuses a misspelt option', (name, call, wrong, right) => {
  expect(() => call({ [wrong]: undefined })).not.toThrow(/unknown option/);
  expect(() => call({ [wrong]: 1 })).toThrow(
    new TypeError(`${name}: unknown option '${wrong}', did you mean '${right}'?`),
  );
});

test('prepare rejects', () =>
  expect(prepare(() => null, { gpuu: 1 } as object)).rejects.toThrow(
    "prepare: unknown option 'gpuu', did you mean 'gpu'?",
  ));
