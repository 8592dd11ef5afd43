import { expect, test } from 'vitest';
import { scope, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import file from '../golden/ops-norm-softmax.json';
import { expectWithin } from '../support/check-op.ts';
import { casesOf, dense, flat } from '../support/golden.ts';
import { checkGolden, planned, type GoldenRun } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

const later = {
  batchNormTrace: 'below, with the running statistics',
};

const index = (x: Tensor): Tensor<'i32'> => x as unknown as Tensor<'i32'>;
const axis = (o: Record<string, unknown>): { axis: number } => ({ axis: o.axis as number });
const orNull = (x?: Tensor): Tensor | null => x ?? null;
const running = (x: Record<string, Tensor>): ops.RunningStatistics => ({
  mean: x.runningMean!,
  variance: x.runningVar!,
  batches: tensor(0, { dtype: 'i32' }),
});
const runs: Record<string, GoldenRun> = {
  crossEntropySoft: ({ x, target }, { options }) => ops.softCrossEntropy(x!, target!, options),
  nllLoss: ({ x, target }, { options }) => ops.nllLoss(x!, index(target!), options),
  binaryCrossEntropyWithLogits: ({ x, target }, { options }) => ops.binaryCrossEntropyWithLogits(x!, target!, options),
  klDiv: ({ input, target }, { options }) => ops.klDiv(input!, target!, options),
  mseLoss: ({ x, target }, { options }) => ops.mseLoss(x!, target!, options),
  smoothL1Loss: ({ x, target }, { options }) => ops.smoothL1Loss(x!, target!, options),
  batchNorm: (x, { options: { train, momentum, eps } }) =>
    ops.batchNorm(x.x!, orNull(x.gamma), orNull(x.beta), {
      running: running(x),
      training: train as boolean,
      momentum: momentum as number,
      eps: eps as number,
    }),
  layerNorm: ({ x, gamma, beta }, { options }) =>
    ops.layerNorm(x!, orNull(gamma), orNull(beta), {
      normalizedShape: options.normalizedShape as number[],
      eps: options.eps as number,
    }),
  groupNorm: ({ x, gamma, beta }, { options }) =>
    ops.groupNorm(x!, options.groups as number, orNull(gamma), orNull(beta), { eps: options.eps as number }),
  instanceNorm: ({ x }, { options }) => ops.instanceNorm(x!, null, null, { eps: options.eps as number }),
  embedding: ({ weight, indices }, { options }) => ops.embedding(weight!, index(indices!), options),
  softmax: ({ x }, { options }) => ops.softmax(x!, axis(options)),
  logSoftmax: ({ x }, { options }) => ops.logSoftmax(x!, axis(options)),
  // PyTorch's mean divides by the sum of the target weights.
  crossEntropy: ({ x, target }, { options, inputs }) => {
    const { reduction, ...rest } = options as { reduction: ops.Reduction };
    const classes = x!.shape.at(-1)!;
    const perClass = inputs.weight
      ? tensor(ops.classTable(classes, { weight: flat(inputs.weight) }), { shape: [4, classes] })
      : undefined;
    return ops.crossEntropy(x!, index(target!), {
      ...rest,
      classTable: perClass,
      reduction: reduction === 'mean' ? 'weightedMean' : reduction,
    });
  },
  normalizeL2: ({ x }, { options }) => ops.normalize(x!, { eps: options.eps as number }),
  gather: ({ x, indices }, { options }) => ops.gather(x!, index(indices!), axis(options)),
  indexSelect: ({ x, indices }, { options }) => ops.indexSelect(x!, index(indices!), axis(options)),
  scatterAdd: ({ x, indices, src }, { options }) => ops.scatterAdd(x!, index(indices!), src!, axis(options)),
  oneHot: ({ indices }, { options }) => ops.oneHot(index(indices!), options.depth as number, { dtype: 'i32' }),
};

const cases = planned({ file, later });

test('60 of the 61 cases run', () => expect([cases.length, file.length]).toEqual([60, 61]));
test.each(cases)('$name', (c) => checkGolden(c, runs[c.op!]!, close(1e-5, 1e-6)));

/** Trains on one batch after another and compares the running mean and variance after each. */
async function expectRunning(
  start: { mean: number[]; variance: number[] },
  batches: readonly unknown[],
  want: readonly (readonly [unknown, unknown])[],
  { momentum, eps }: ops.BatchNormOptions,
): Promise<void> {
  const stats = {
    mean: tensor(start.mean),
    variance: tensor(start.variance),
    batches: tensor(0, { dtype: 'i32' as const }),
  };
  for (const [k, batch] of batches.entries()) {
    const { data, shape } = dense(batch);
    scope(
      () => void ops.batchNorm(tensor(data, { shape }), null, null, { momentum, eps, training: true, running: stats }),
    );
    for (const [got, values] of [
      [stats.mean, want[k]![0]],
      [stats.variance, want[k]![1]],
    ] as const) {
      expectWithin(
        await got.read(),
        { shape: [], data: Float64Array.from(flat(values)) },
        close(1e-5, 1e-6),
        'running statistics',
      );
    }
  }
  for (const t of Object.values(stats)) t.dispose();
}

test.each(casesOf(file, 'batchNorm').filter((c) => c.options.train))(
  '$name: running statistics',
  ({ inputs, outputs, options }) =>
    expectRunning(
      { mean: flat(inputs.runningMean), variance: flat(inputs.runningVar) },
      [inputs.x],
      [[outputs.runningMeanAfter, outputs.runningVarAfter]],
      options,
    ),
);

test.each(casesOf(file, 'batchNormTrace'))('$name', ({ inputs, outputs, options }) =>
  expectRunning(
    { mean: [0, 0, 0].fill(options.initialMean as number), variance: [0, 0, 0].fill(options.initialVar as number) },
    [1, 2, 3].map((k) => inputs[`x${k}`]),
    [1, 2, 3].map((k) => [outputs[`runningMean${k}`], outputs[`runningVar${k}`]] as const),
    { momentum: options.momentum as number, eps: options.eps as number },
  ),
);
