import { expect, test } from 'vitest';
import * as ops from 'evenkeel/ops';
import file from '../golden/ops-matmul-conv.json';
import type { GoldenTensor } from '../support/golden.ts';
import { checkGolden, planned, type GoldenRun } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

const batched = 'matmul of more or fewer than two axes is a later feature; reshape and two axes do today';
const grouped = 'grouped convolution is a later feature';
const ceil = 'ceil mode is a later feature';
const later = {
  'matmul-batched-3d': batched,
  'matmul-batched-3d-transposeB': batched,
  'matmul-batched-3d-transposeA': batched,
  'matmul-broadcast-rhs-2d': batched,
  'matmul-broadcast-lhs-2d': batched,
  'matmul-broadcast-4d': batched,
  'matmul-vec-dot': batched,
  'matmul-mat-vec': batched,
  'matmul-vec-mat': batched,
  'linear-nobias-3d': batched,
  'conv2d-groups2': grouped,
  'conv2d-depthwise': grouped,
  'conv2d-depthwise-multiplier2': grouped,
  conv1d: 'no method uses it yet',
  convTranspose2d: 'no method uses it yet',
  'maxPool-ceil': ceil,
  'maxPool-dilation2': 'dilated pooling is a later feature',
  'avgPool-ceil-excludepad': ceil,
  adaptiveAvgPool2d: 'comes with residual networks; mean over two axes does today',
  unfold: 'no method uses it yet',
  fold: 'no method uses it yet',
  pad: 'comes with augmentation',
  upsampleNearest: 'no method uses it yet',
};

type Pair = [number, number];
const pool = (o: Record<string, unknown>): ops.Pool2dOptions => ({ stride: o.stride as Pair, padding: o.padding as Pair | number });
const runs: Record<string, GoldenRun> = {
  matmul: ({ a, b }, { options }) => ops.matmul(a!, b!, options as ops.MatmulOptions),
  linear: ({ x, w, b }) => ops.linear(x!, w!, b),
  conv2d: ({ x, w, b }, { options }) => ops.conv2d(x!, w!, b ?? null, { stride: options.stride as Pair, padding: options.padding as Pair, dilation: options.dilation as Pair }),
  maxPool2d: ({ x }, { options }) => ops.maxPool2d(x!, options.kernel as Pair, pool(options)),
  avgPool2d: ({ x }, { options }) => ops.avgPool2d(x!, options.kernel as Pair, { ...pool(options), countIncludePad: options.countIncludePad as boolean }),
  transpose: ({ x }, { options }) => ops.permute(x!, options.perm as number[]),
  concat: ({ a, b }, { options }) => ops.concat([a!, b!], { axis: options.axis as number }),
  slice: ({ x }, { options, outputs }) => {
    const { begin, step } = options as { begin: number[]; step: number[] };
    const { shape } = outputs.y as GoldenTensor;
    return ops.slice(x!, { start: begin, step, end: begin.map((b, i) => b + shape[i]! * step[i]!) });
  },
  flip: ({ x }, { options }) => ops.flip(x!, { axes: options.axes as number[] }),
};

const cases = planned({ file, later });

test('40 of the 80 cases run', () => expect([cases.length, file.length]).toEqual([40, 80]));
test.each(cases)('$name', (c) => checkGolden(c, runs[c.op!]!, close(c.name === 'matmul-large-magnitude' ? 1e-4 : 1e-5, 1e-5)));
