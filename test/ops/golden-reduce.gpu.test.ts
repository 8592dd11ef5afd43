import { expect, test } from 'vitest';
import { tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import file from '../golden/ops-reduce.json';
import { readAll } from '../support/check-op.ts';
import { dense, flat, type GoldenCase } from '../support/golden.ts';
import { checkGolden, planned, type GoldenRun } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

const options = ({ options: o }: GoldenCase): ops.VarianceOptions => ({
  axes: (o.axes as number[] | null) ?? undefined,
  keepDim: o.keepDims as boolean,
  ...(o.correction !== undefined && { correction: o.correction as number }),
});
const axis = ({ options: o }: GoldenCase): { axis: number } => ({ axis: o.axis as number });
const sorted = (x: Tensor, c: GoldenCase): ops.Sorted<'f32'> =>
  c.op === 'sort'
    ? ops.sort(x, { ...axis(c), descending: c.options.descending as boolean })
    : ops.topk(x, { ...axis(c), k: c.options.k as number, largest: c.options.largest as boolean });
const runs: Record<string, GoldenRun> = {
  sum: ({ x }, c) => ops.sum(x!, options(c)),
  mean: ({ x }, c) => ops.mean(x!, options(c)),
  max: ({ x }, c) => ops.max(x!, options(c)),
  min: ({ x }, c) => ops.min(x!, options(c)),
  prod: ({ x }, c) => ops.prod(x!, options(c)),
  norm: ({ x }, c) => ops.norm(x!, { ...options(c), p: Number(c.options.p) }),
  var: ({ x }, c) => ops.variance(x!, options(c)),
  std: ({ x }, c) => ops.std(x!, options(c)),
  logSumExp: ({ x }, c) => ops.logsumexp(x!, options(c)),
  argmax: ({ x }, c) => ops.argmax(x!, axis(c)),
  argmin: ({ x }, c) => ops.argmin(x!, axis(c)),
  cumsum: ({ x }, { options: o }) =>
    ops.cumsum(x!, { axis: o.axis as number, exclusive: o.exclusive as boolean, reverse: o.reverse as boolean }),
  sort: ({ x }, c) => sorted(x!, c).values,
  topk: ({ x }, c) => sorted(x!, c).values,
};

const cases = planned({ file, later: {} });

test('all 131 cases run', () => expect([cases.length, file.length]).toEqual([131, 131]));
test.each(cases)('$name', (c) => checkGolden(c, runs[c.op!]!, close(1e-5, 1e-6)));
test.each(cases.filter((c) => c.outputs.indices))('$name: indices', async (c) => {
  const { data, shape } = dense(c.inputs.x);
  const [indices] = await readAll(() => [sorted(tensor(data, { shape }), c).indices]);
  expect(Array.from(indices!)).toEqual(flat(c.outputs.indices));
});
