import { expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor } from 'evenkeel';
import { mul, sum, upsampleNearest, type UpsampleOptions } from 'evenkeel/ops';
import * as reference from '../reference/upsample.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, expectSameBits, readAll, takeGrad } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

interface Case {
  x: number[];
  options: UpsampleOptions;
  out: [number, number];
}

const cases: Case[] = [
  { x: [0, 2, 3, 3], options: { scale: 2 }, out: [6, 6] },
  { x: [1, 2, 0, 3], options: { scale: 2 }, out: [0, 6] },
  { x: [1, 1, 1, 1], options: { scale: 1 }, out: [1, 1] },
  { x: [2, 2, 3, 4], options: { scale: 2 }, out: [6, 8] },
  { x: [1, 3, 2, 5], options: { scale: [3, 1] }, out: [6, 5] },
  { x: [1, 2, 3, 4], options: { size: [7, 5] }, out: [7, 5] },
  { x: [1, 31, 5, 7], options: { size: 3 }, out: [3, 3] },
  { x: [1, 1, 33, 2], options: { size: [257, 1] }, out: [257, 1] },
];

test.each(cases)('of [$x], $options', ({ x, options, out }) =>
  checkOp({
    inputs: [sample(x)],
    run: (t) => upsampleNearest(t, options),
    reference: (t) => reference.upsampleNearest(t, out),
    gradient: (dy, t) => [reference.upsampleNearestGradient(dy, t)],
    tolerance: exact,
    gradientTolerance: summed(Math.ceil((out[0] + 1) / (x[2]! || 1)) * Math.ceil((out[1] + 1) / (x[3]! || 1))),
  }),
);

test('the gradient of the gradient', () => {
  const x = sample([2, 1, 3, 4]);
  return checkLinearTwice(
    x,
    (t) => upsampleNearest(t, { size: [5, 6] }),
    (t) => reference.upsampleNearest(t, [5, 6]),
    (dy) => reference.upsampleNearestGradient(dy, x),
  );
});

test('more elements than one grid row holds: the same size copies', async () => {
  const values = Float32Array.from({ length: 2_100_001 * 2 }, (_, i) => i % 8191);
  const [y, g] = await readAll(() => {
    const x = requireGrad(tensor(values, { shape: [2, 1, 1, 2_100_001] }));
    const same = upsampleNearest(x, { scale: 1 });
    backward(sum(mul(same, x.detach())));
    return [same, takeGrad(x)];
  });
  expectSameBits(y!, values, 'y');
  expectSameBits(g!, values, 'dx');
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(16), { shape: [1, 1, 4, 4] });
    expect(() => upsampleNearest(tensor([1]), { scale: 2 })).toThrow(
      'upsampleNearest: x has shape [1], expected rank 4',
    );
    expect(() => upsampleNearest(x, {})).toThrow('upsampleNearest: neither of scale and size given, expected one');
    expect(() => upsampleNearest(x, { scale: 2, size: 8 })).toThrow(
      'upsampleNearest: both of scale and size given, expected one',
    );
    expect(() => upsampleNearest(x, { scale: 1.5 })).toThrow(
      'upsampleNearest: scale is [1.5,1.5], expected integers of at least 1',
    );
    expect(() => upsampleNearest(x, { size: 0 })).toThrow(
      'upsampleNearest: size is [0,0], expected integers of at least 1',
    );
    const long = tensor(new Float32Array(70_001), { shape: [1, 1, 1, 70_001] });
    expect(() => upsampleNearest(long, { size: [1, 70_000] })).toThrow(
      'upsampleNearest: x has shape [1,1,1,70001] and size is [1,70000], too large for a ratio of 1,70000 to 1,70001',
    );
    expect(() => upsampleNearest(tensor([], { shape: [1, 1, 0, 4] }), { size: 2 })).toThrow(
      'upsampleNearest: x has shape [1,1,0,4], expected height and width of at least 1',
    );
  });
});
