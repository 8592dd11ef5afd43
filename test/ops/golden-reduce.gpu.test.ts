import { expect, test } from 'vitest';
import * as ops from 'evenkeel/ops';
import file from '../golden/ops-reduce.json';
import type { GoldenCase } from '../support/golden.ts';
import { checkGolden, planned, type GoldenRun } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

const later = {
  logSumExp: 'a reduction of a later release; crossEntropy and logSoftmax have it inside',
  var: 'comes with batch normalisation',
  std: 'comes with batch normalisation',
  cumsum: 'not needed by any method yet',
  prod: 'not needed by any method yet',
  topk: 'comes with average-k sets',
  sort: 'comes with average-k sets',
  'norm-p1-all': 'norms other than p = 2 come with l_p distances',
  'norm-p1-axis1': 'as norm-p1-all',
  'norm-p1-last': 'as norm-p1-all',
  'norm-p3-all': 'as norm-p1-all',
  'norm-p3-axis1': 'as norm-p1-all',
  'norm-p3-last': 'as norm-p1-all',
  'norm-pinf-all': 'as norm-p1-all',
  'norm-pinf-axis1': 'as norm-p1-all',
  'norm-pinf-last': 'as norm-p1-all',
};

const options = (c: GoldenCase): ops.ReduceOptions => ({ axes: (c.options.axes as number[] | null) ?? undefined, keepDim: c.options.keepDims as boolean });
const runs: Record<string, GoldenRun> = {
  sum: ({ x }, c) => ops.sum(x!, options(c)),
  mean: ({ x }, c) => ops.mean(x!, options(c)),
  max: ({ x }, c) => ops.max(x!, options(c)),
  min: ({ x }, c) => ops.min(x!, options(c)),
  norm: ({ x }, c) => ops.norm(x!, options(c)),
  argmax: ({ x }, c) => ops.argmax(x!, { axis: c.options.axis as number }),
  argmin: ({ x }, c) => ops.argmin(x!, { axis: c.options.axis as number }),
};

const cases = planned({ file, later });

test('70 of the 131 cases run', () => expect([cases.length, file.length]).toEqual([70, 131]));
test.each(cases)('$name', (c) => checkGolden(c, runs[c.op!]!, close(1e-5, 1e-6)));
