import { expect, test } from 'vitest';
import { tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import file from '../golden/ops-norm-softmax.json';
import { flat } from '../support/golden.ts';
import { checkGolden, planned, type GoldenRun } from '../support/golden-op.ts';
import { close } from '../support/tolerance.ts';

const loss = 'a loss of a later release';
const norm = 'a normalisation of a later release';
const later = {
  crossEntropySoft: 'soft targets come with mixing methods',
  nllLoss: loss,
  binaryCrossEntropyWithLogits: loss,
  klDiv: loss,
  mseLoss: loss,
  smoothL1Loss: loss,
  batchNorm: norm,
  batchNormTrace: norm,
  layerNorm: norm,
  groupNorm: norm,
  instanceNorm: norm,
  embedding: 'no method uses it yet; indexSelect does the same today',
  scatterAdd: 'the gradient of gather has it inside',
  oneHot: 'labels stay integers',
};

const index = (x: Tensor): Tensor<'i32'> => x as unknown as Tensor<'i32'>;
const axis = (o: Record<string, unknown>): { axis: number } => ({ axis: o.axis as number });
const runs: Record<string, GoldenRun> = {
  softmax: ({ x }, { options }) => ops.softmax(x!, axis(options)),
  logSoftmax: ({ x }, { options }) => ops.logSoftmax(x!, axis(options)),
  // PyTorch's mean divides by the sum of the target weights.
  crossEntropy: ({ x, target }, { options, inputs }) => {
    const { reduction, ...rest } = options as { reduction: ops.Reduction };
    const classes = x!.shape.at(-1)!;
    const perClass = inputs.weight ? tensor(ops.classTable(classes, { weight: flat(inputs.weight) }), { shape: [4, classes] }) : undefined;
    return ops.crossEntropy(x!, index(target!), { ...rest, perClass, reduction: reduction === 'mean' ? 'weightedMean' : reduction });
  },
  normalizeL2: ({ x }, { options }) => ops.normalize(x!, { eps: options.eps as number }),
  gather: ({ x, indices }, { options }) => ops.gather(x!, index(indices!), axis(options)),
  indexSelect: ({ x, indices }, { options }) => ops.indexSelect(x!, index(indices!), axis(options)),
};

const cases = planned({ file, later });

test('29 of the 61 cases run', () => expect([cases.length, file.length]).toEqual([29, 61]));
test.each(cases)('$name', (c) => checkGolden(c, runs[c.op!]!, close(1e-5, 1e-6)));
