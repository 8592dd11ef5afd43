import { expect, test } from 'vitest';
import * as ops from 'evenkeel/ops';
import file from '../golden/ops-matmul-conv.json';
import type { GoldenTensor } from '../support/golden.ts';
import { checkGolden, planned, type GoldenRun } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

type Pair = [number, number];
const one = (v: unknown): number => (v as [number])[0];
/** The options of a case that an op takes too, without those that describe its inputs. */
const without = (options: Record<string, unknown>, ...names: string[]): object =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
const runs: Record<string, GoldenRun> = {
  matmul: ({ a, b }, { options }) => ops.matmul(a!, b!, options as ops.MatmulOptions),
  linear: ({ x, w, b }) => ops.linear(x!, w!, b),
  conv2d: ({ x, w, b }, { options }) =>
    ops.conv2d(x!, w!, b ?? null, without(options, 'bias', 'layout', 'weightLayout')),
  conv1d: ({ x, w, b }, { options: o }) =>
    ops.conv1d(x!, w!, b ?? null, { stride: one(o.stride), padding: one(o.padding), dilation: one(o.dilation) }),
  convTranspose2d: ({ x, w, b }, { options }) =>
    ops.convTranspose2d(x!, w!, b ?? null, without(options, 'bias', 'weightLayout')),
  maxPool2d: ({ x }, { options }) => ops.maxPool2d(x!, options.kernel as Pair, without(options, 'kernel')),
  avgPool2d: ({ x }, { options }) => ops.avgPool2d(x!, options.kernel as Pair, without(options, 'kernel')),
  adaptiveAvgPool2d: ({ x }, { options }) => ops.adaptiveAvgPool2d(x!, options.outputSize as Pair),
  unfold: ({ x }, { options }) => ops.unfold(x!, options.kernel as Pair, without(options, 'kernel')),
  fold: ({ x }, { options }) =>
    ops.fold(x!, options.outputSize as Pair, options.kernel as Pair, without(options, 'kernel', 'outputSize')),
  pad: ({ x }, { options }) => ops.pad(x!, options.pads as number[], without(options, 'pads')),
  upsampleNearest: ({ x }, { options }) => ops.upsampleNearest(x!, { scale: options.scale as number }),
  transpose: ({ x }, { options }) => ops.permute(x!, options.perm as number[]),
  concat: ({ a, b }, { options }) => ops.concat([a!, b!], { axis: options.axis as number }),
  slice: ({ x }, { options, outputs }) => {
    const { begin, step } = options as { begin: number[]; step: number[] };
    const { shape } = outputs.y as GoldenTensor;
    return ops.slice(x!, { start: begin, step, end: begin.map((b, i) => b + shape[i]! * step[i]!) });
  },
  flip: ({ x }, { options }) => ops.flip(x!, { axes: options.axes as number[] }),
};

const cases = planned({ file, later: {} });

test('all 80 cases run', () => expect(cases.length).toBe(80));
test.each(cases)('$name', (c) =>
  checkGolden(c, runs[c.op!]!, close(c.name === 'matmul-large-magnitude' ? 1e-4 : 1e-5, 1e-5)),
);
