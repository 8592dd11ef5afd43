import { expect, test } from 'vitest';
import { detectAnomaly, scope, tensor, zeros } from 'evenkeel';
import * as ops from 'evenkeel/ops';

type Any = any;
const x = (): Any => tensor([1, 2, 3, 4], { shape: [2, 2] });
const image = (): Any => tensor(new Float32Array(16), { shape: [1, 1, 4, 4] });
const row = (): Any => tensor(new Float32Array(4), { shape: [1, 1, 4] });
const labels = (): Any => tensor([0, 1], { dtype: 'i32' });
const key = [1, 2] as const;

/** Every op with options: a call with `options`, a misspelt name and the one to suggest; null: none is near. */
const calls: Record<string, [run: (options: Any) => unknown, wrong: string, right: string | null]> = {
  leakyRelu: [(o) => ops.leakyRelu(x(), o), 'negative_slope', 'negativeSlope'],
  elu: [(o) => ops.elu(x(), o), 'alphas', 'alpha'],
  gelu: [(o) => ops.gelu(x(), o), 'aproximate', 'approximate'],
  hardtanh: [(o) => ops.hardtanh(x(), o), 'minval', 'minVal'],
  batchNorm: [(o) => ops.batchNorm(x(), null, null, { training: true, ...o }), 'momentun', 'momentum'],
  layerNorm: [(o) => ops.layerNorm(x(), null, null, o), 'epps', 'eps'],
  groupNorm: [(o) => ops.groupNorm(image(), 1, null, null, o), 'epps', 'eps'],
  instanceNorm: [(o) => ops.instanceNorm(image(), null, null, o), 'epps', 'eps'],
  binaryCrossEntropyWithLogits: [(o) => ops.binaryCrossEntropyWithLogits(x(), x(), o), 'posweight', 'posWeight'],
  crossEntropy: [(o) => ops.crossEntropy(x(), labels(), o), 'labelSmooting', 'labelSmoothing'],
  nllLoss: [(o) => ops.nllLoss(x(), labels(), o), 'ignoreindex', 'ignoreIndex'],
  klDiv: [(o) => ops.klDiv(x(), x(), o), 'logtarget', 'logTarget'],
  mseLoss: [(o) => ops.mseLoss(x(), x(), o), 'reductions', 'reduction'],
  smoothL1Loss: [(o) => ops.smoothL1Loss(x(), x(), o), 'betta', 'beta'],
  softCrossEntropy: [(o) => ops.softCrossEntropy(x(), x(), o), 'reductions', 'reduction'],
  probabilityLoss: [(o) => ops.probabilityLoss(x(), labels(), 'mix', [1, 0], o), 'epss', 'eps'],
  concat: [(o) => ops.concat([x(), x()], o), 'axes', 'axis'],
  stack: [(o) => ops.stack([x(), x()], o), 'axes', 'axis'],
  split: [(o) => ops.split(x(), 1, o), 'axes', 'axis'],
  chunk: [(o) => ops.chunk(x(), 2, o), 'axes', 'axis'],
  conv2d: [(o) => ops.conv2d(image(), image(), null, o), 'strides', 'stride'],
  conv1d: [(o) => ops.conv1d(row(), row(), null, o), 'paddding', 'padding'],
  convTranspose2d: [(o) => ops.convTranspose2d(image(), image(), null, o), 'outputpadding', 'outputPadding'],
  unfold: [(o) => ops.unfold(image(), 2, o), 'dilatation', 'dilation'],
  fold: [(o) => ops.fold(tensor(new Float32Array(4), { shape: [1, 4, 1] }), 2, 2, o), 'pading', 'padding'],
  maxPool2d: [(o) => ops.maxPool2d(image(), 2, o), 'ceil_mode', 'ceilMode'],
  avgPool2d: [(o) => ops.avgPool2d(image(), 2, o), 'countIncludePads', 'countIncludePad'],
  upsampleNearest: [(o) => ops.upsampleNearest(image(), { scale: 2, ...o }), 'sizes', 'size'],
  pad: [(o) => ops.pad(x(), [1, 1], o), 'values', 'value'],
  cumsum: [(o) => ops.cumsum(x(), o), 'reversed', 'reverse'],
  dropout: [(o) => ops.dropout(x(), { key, first: zeros([2], { dtype: 'u32' }) }, o), 'P', 'p'],
  embedding: [(o) => ops.embedding(x(), [0], o), 'paddingIndex', 'paddingIdx'],
  indexSelect: [(o) => ops.indexSelect(x(), [0], o), 'axes', 'axis'],
  gather: [(o) => ops.gather(x(), labels(), o), 'axes', 'axis'],
  scatterAdd: [(o) => ops.scatterAdd(x(), labels(), x(), o), 'dim', null],
  histogram: [(o) => ops.histogram(x(), { numBins: 2, low: 0, high: 1, ...o }), 'hig', 'high'],
  bincount: [(o) => ops.bincount(labels(), { numClasses: 2, ...o }), 'weight', 'weights'],
  kthvalue: [(o) => ops.kthvalue(x(), { k: 1, ...o }), 'largets', 'largest'],
  topk: [(o) => ops.topk(x(), { k: 1, ...o }), 'Sorted', 'sorted'],
  sort: [(o) => ops.sort(x(), o), 'decending', 'descending'],
  argsort: [(o) => ops.argsort(x(), o), 'decending', 'descending'],
  logsumexp: [(o) => ops.logsumexp(x(), o), 'axis', 'axes'],
  sum: [(o) => ops.sum(x(), o), 'axis', 'axes'],
  mean: [(o) => ops.mean(x(), o), 'keepdim', 'keepDim'],
  max: [(o) => ops.max(x(), o), 'keepdims', 'keepDim'],
  min: [(o) => ops.min(x(), o), 'axis', 'axes'],
  any: [(o) => ops.any(x(), o), 'axis', 'axes'],
  all: [(o) => ops.all(x(), o), 'axis', 'axes'],
  prod: [(o) => ops.prod(x(), o), 'axis', 'axes'],
  norm: [(o) => ops.norm(x(), o), 'axis', 'axes'],
  variance: [(o) => ops.variance(x(), o), 'corection', 'correction'],
  std: [(o) => ops.std(x(), o), 'unbiased', null],
  argmax: [(o) => ops.argmax(x(), o), 'axes', 'axis'],
  argmin: [(o) => ops.argmin(x(), o), 'axes', 'axis'],
  softmax: [(o) => ops.softmax(x(), o), 'dim', null],
  logSoftmax: [(o) => ops.logSoftmax(x(), o), 'axes', 'axis'],
  normalize: [(o) => ops.normalize(x(), o), 'epsi', 'eps'],
  lpDistance: [(o) => ops.lpDistance(x(), x(), null, o), 'P', 'p'],
  lpDistance2d: [(o) => ops.lpDistance2d(image(), image(), null, o), 'strid', 'stride'],
  infDistanceBounds: [(o) => ops.infDistanceBounds(x(), x(), x(), o), 'repairCross', 'repairCrossed'],
  sortDistance: [(o) => ops.sortDistance(x(), x(), o), 'term', 'terms'],
  sortDistanceBounds: [(o) => ops.sortDistanceBounds(x(), x(), x(), o), 'keeps', 'keep'],
  matmul: [(o) => ops.matmul(x(), x(), o), 'transpose_a', 'transposeA'],
  linear: [(o) => ops.linear(x(), x(), null, o), 'activations', 'activation'],
  meanShift: [(o) => ops.meanShift(x(), zeros([2]), o), 'trainning', 'training'],
  oneHot: [(o) => ops.oneHot(labels(), 2, o), 'dType', 'dtype'],
  flatten: [(o) => ops.flatten(x(), o), 'startaxis', 'startAxis'],
  squeeze: [(o) => ops.squeeze(x(), o), 'axis', 'axes'],
  slice: [(o) => ops.slice(x(), { start: 0, end: 1, ...o }), 'steps', 'step'],
  flip: [(o) => ops.flip(x(), o), 'axis', 'axes'],
  repeatInterleave: [(o) => ops.repeatInterleave(x(), 2, o), 'axes', 'axis'],
  tril: [(o) => ops.tril(x(), o), 'diagonals', 'diagonal'],
  triu: [(o) => ops.triu(x(), o), 'diagnal', 'diagonal'],
};

test.each(Object.entries(calls))('%s refuses an unknown option', (name, [run, wrong, right]) => {
  scope(() => {
    expect(() => run({ [wrong]: 1 })).toThrow(
      `${name}: unknown option '${wrong}', ${right ? `did you mean '${right}'?` : 'expected one of'}`,
    );
    // The same call without it is not refused for its options.
    try {
      run({});
    } catch (error) {
      expect((error as Error).message).not.toContain('unknown option');
    }
  });
});

test('every op whose declaration takes options is in the table', () => {
  const sources = import.meta.glob('../../src/ops/*.ts', { query: '?raw', import: 'default', eager: true }) as Record<
    string,
    string
  >;
  const named = Object.values(sources).flatMap((text) =>
    [...text.matchAll(/(?:expectOptions|checkOptions)(?:<[^(]*>)?\('(\w+)'/g)].map((m) => m[1]!),
  );
  expect(named.filter((name) => !(name in calls))).toEqual([]);
});

test('detectAnomaly refuses an unknown option', async () => {
  await expect(detectAnomaly(() => null, { GPU: null } as never)).rejects.toThrow(
    "detectAnomaly: unknown option 'GPU', did you mean 'gpu'?",
  );
});
