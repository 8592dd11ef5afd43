import { describe, expect, test } from 'vitest';
import { backward, requireGrad, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import file from '../golden/linf-dist.json';
import { expectWithin, readAll, takeGrad } from '../support/check-op.ts';
import { checkGolden, planned, type GoldenRun } from '../support/golden-op.ts';
import { casesOf, dense, toNumber, type GoldenCase } from '../support/golden.ts';
import { close } from '../support/tolerance.ts';

const nets = 'runs in test/nn/linf-dist.gpu.test.ts and test/optim/schedule-linf.node.test.ts';
const later = {
  linfObjectiveV2: nets,
  linfScheduleV2: nets,
  linfNetCertificate: nets,
  linfNetTrainStep: nets,
  lpWeightDecayAdamW: 'runs in test/optim/lp-decay.gpu.test.ts',
};
const elsewhere = ['infDistanceBounds', 'meanShiftTrace'];

const runs: Record<string, GoldenRun> = {
  lpDistance: ({ x, w }, { options }) => ops.lpDistance(x!, w!, null, { p: toNumber(options.p) }),
  lpDistanceConv: ({ x, w }, { options: { kernel, p, stride, padding } }) =>
    ops.lpDistance2d(x!, ops.reshape(w!, [-1, x!.shape[1]!, ...(kernel as [number, number])]), null, {
      p: toNumber(p),
      stride: stride as number,
      padding: padding as number,
    }),
  meanShift: ({ x, runningMean }, { options }) =>
    ops.meanShift(x!, runningMean!, { training: options.train as boolean, momentum: options.momentum as number }),
};

const all = planned({ file, later });
const cases = all.filter((c) => !elsewhere.includes(c.op ?? c.method!));

test('61 of the 81 cases run', () => expect([all.length, (file as unknown[]).length]).toEqual([61, 81]));

describe('one output', () => {
  test.each(cases)('$name', (c) => {
    const p = c.options.p === undefined ? 1 : toNumber(c.options.p);
    return checkGolden(c, runs[(c.op ?? c.method)!]!, p >= 64 && p < Infinity ? close(1e-3, 1e-6) : close(2e-5, 1e-6));
  });
});

describe('largest term', () => {
  test.each(cases.filter((c) => 'argmax' in c.outputs))('$name', async (c) => {
    const { data: want, shape } = dense(c.outputs.argmax);
    const [rows, out] = shape as [number, number];
    const features = dense(c.inputs.x).shape[1]!;
    const slopes = await readAll(() =>
      Array.from({ length: out }, (_, o) => {
        const x = requireGrad(upload(c, 'x'));
        const column = ops.slice(ops.lpDistance(x, upload(c, 'w')), { start: o, end: o + 1, axes: 1 });
        backward(ops.sum(column));
        return takeGrad(x);
      }),
    );
    for (let row = 0; row < rows; row++) {
      for (let o = 0; o < out; o++) {
        const own = Array.from(slopes[o]!.subarray(row * features, (row + 1) * features), Math.abs);
        expect([own.indexOf(1), own.reduce((a, b) => a + b)]).toEqual([want[row * out + o], 1]);
      }
    }
  });
});

const upload = (c: GoldenCase, name: string): Tensor => {
  const { data, shape } = dense(c.inputs[name]);
  return tensor(data, { shape });
};
const expectOutput = (got: Float32Array, c: GoldenCase, name: string): void => {
  const { data, shape } = dense(c.outputs[name]);
  expectWithin(got, { data: Float64Array.from(data), shape }, close(1e-6, 1e-6), name);
};

describe('running mean', () => {
  test.each(casesOf(file, 'meanShift'))('$name', async (c) => {
    const [after] = await readAll(() => {
      const running = upload(c, 'runningMean');
      ops.meanShift(upload(c, 'x'), running, {
        training: c.options.train as boolean,
        momentum: c.options.momentum as number,
      });
      return [running];
    });
    expectOutput(after!, c, 'runningMeanAfter');
  });

  test.each(casesOf(file, 'meanShiftTrace'))('$name', async (c) => {
    using running = tensor([0, 0, 0]);
    for (const step of [1, 2, 3, 4]) {
      const [, after] = await readAll(() => [
        ops.meanShift(upload(c, `x${step}`), running, { training: true, momentum: c.options.momentum as number }),
        running.detach(),
      ]);
      expectOutput(after!, c, `runningMean${step}`);
    }
  });
});

test.each(casesOf(file, 'infDistanceBounds'))('$name', async (c) => {
  const names = ['lower', 'upper', 'w'];
  const withGradient = 'gradW' in c.outputs;
  const got = await readAll(() => {
    const leaves = names.map((n) => requireGrad(upload(c, n))) as [Tensor, Tensor, Tensor];
    const bounds = ops.infDistanceBounds(...leaves, { repairCrossed: c.options.repairCrossed === true });
    if (!withGradient) return [bounds.lower, bounds.upper];
    const weighted = (y: Tensor, name: string): Tensor => ops.sum(ops.mul(y, upload(c, name)));
    backward(ops.add(weighted(bounds.lower, 'gradOutputLower'), weighted(bounds.upper, 'gradOutputUpper')));
    return [bounds.lower, bounds.upper, ...leaves.map(takeGrad)];
  });
  ['yLower', 'yUpper', ...(withGradient ? ['gradLower', 'gradUpper', 'gradW'] : [])].forEach((name, i) =>
    expectOutput(got[i]!, c, name),
  );
});
