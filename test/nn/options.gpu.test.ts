import { expect, test } from 'vitest';
import { NdArray, init, scope, tensor } from 'evenkeel';
import * as nn from 'evenkeel/nn';
import { DistancePower } from 'evenkeel/nn';
import '../support/gpu.ts';

const x = new NdArray(new Float32Array(4), [2, 2]);
const model = nn.Sequential(nn.Linear(2, 2));

/** Every public function of the folder with options: a misspelt one, and what is suggested. */
const cases: [name: string, misspelt: string, meant: string, call: (wrong: never) => unknown][] = [
  ['LeakyReLU', 'negativeslope', 'negativeSlope', (o) => nn.LeakyReLU(o)],
  ['ELU', 'alpa', 'alpha', (o) => nn.ELU(o)],
  ['GELU', 'aproximate', 'approximate', (o) => nn.GELU(o)],
  ['ClassScale', 'bia', 'bias', (o) => nn.ClassScale(2, o)],
  ['Conv2d', 'strides', 'stride', (o) => nn.Conv2d(1, 1, 1, o)],
  ['CosineLinear', 'scales', 'scale', (o) => nn.CosineLinear(1, 1, o)],
  ['Embedding', 'paddingIndex', 'paddingIdx', (o) => nn.Embedding(1, 1, o)],
  ['lenet', 'clases', 'numClasses', (o) => nn.lenet(o)],
  ['Linear', 'biass', 'bias', (o) => nn.Linear(1, 1, o)],
  ['linfDistConvNet', 'channel', 'channels', (o) => nn.linfDistConvNet([1, 4, 4], o)],
  ['linfDistHeadNet', 'identiy', 'identity', (o) => nn.linfDistHeadNet([1, 1], [1], o)],
  ['linfDistMlp', 'identiy', 'identity', (o) => nn.linfDistMlp([1, 1], o)],
  ['LinfDistLinear', 'powr', 'power', (o) => nn.LinfDistLinear(1, 1, o)],
  ['LinfDistConv2d', 'pading', 'padding', (o) => nn.LinfDistConv2d(1, 1, 1, o)],
  ['MeanShift', 'momentm', 'momentum', (o) => nn.MeanShift(1, o)],
  ['BatchNorm', 'momentm', 'momentum', (o) => nn.BatchNorm(1, o)],
  ['LayerNorm', 'afine', 'affine', (o) => nn.LayerNorm(1, o)],
  ['GroupNorm', 'epss', 'eps', (o) => nn.GroupNorm(1, 1, o)],
  ['MaxPool2d', 'dilatation', 'dilation', (o) => nn.MaxPool2d(1, o)],
  ['AvgPool2d', 'ceilmode', 'ceilMode', (o) => nn.AvgPool2d(1, o)],
  ['Residual', 'activaton', 'activation', (o) => nn.Residual(nn.Linear(1, 1), null, o)],
  ['cifarResnet', 'clases', 'numClasses', (o) => nn.cifarResnet(1, o)],
  ['cifarResnet', 'clases', 'numClasses', (o) => nn.resnet20(o)],
  ['wideResnet', 'dept', 'depth', (o) => nn.wideResnet(o)],
  ['SortDistLinear', 'term', 'terms', (o) => nn.SortDistLinear(1, 1, o)],
  ['sortNet', 'kep', 'keep', (o) => nn.sortNet([1, 1], o)],
  [
    'recomputeMeans',
    'batchsize',
    'batchSize',
    (o) => nn.recomputeMeans(new nn.LinfDistNet({}, new DistancePower()), x, o),
  ],
  ['model.init', 'sead', 'seed', (o) => model.init(o)],
  ['model.forward', 'train', 'training', (o) => scope(() => model.forward(tensor(x), o))],
  ['model.predict', 'batchsize', 'batchSize', (o) => model.predict(x, o)],
  ['model.logits', 'weigths', 'weights', (o) => model.logits(x, o)],
  ['loadStateDict', 'renam', 'rename', (o) => model.loadStateDict(new Map(), o)],
  ['backbone.features', 'batch_size', 'batchSize', (o) => nn.splitClassifier(model).backbone.features(x, o)],
  ['init', 'adaptor', 'adapter', (o) => init(o)],
];

test.each(cases)('%s: %s is refused, and %s suggested', async (name, misspelt, meant, call) => {
  const wrong = async (): Promise<unknown> => call({ [misspelt]: 1 } as never);
  const near = misspelt === 'train' ? '' : `, did you mean '${meant}'?`;
  await expect(wrong()).rejects.toThrow(`${name}: unknown option '${misspelt}'${near}`);
});
