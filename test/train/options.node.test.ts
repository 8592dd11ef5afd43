import { expect, test } from 'vitest';
import { NdArray } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { Linear, Sequential } from 'evenkeel/nn';
import * as train from 'evenkeel/train';

const data = makeDataset(new NdArray(new Float32Array(4), [2, 2]), [0, 1]);
const model = Sequential(Linear(2, 2));
const gaussians = { width: 1, means: new Float64Array(1), covariances: new Float64Array(1) } as never;

/** Every public function of the folder with options: a misspelt one, and what is suggested. */
const cases: [name: string, misspelt: string, meant: string, call: (wrong: never) => unknown][] = [
  ['fit', 'batchsize', 'batchSize', (o) => train.fit(model, data, o)],
  ['fit', 'droplast', 'dropLast', (o) => train.fit(model, data, o)],
  ['fit', 'hook', 'hooks', (o) => train.fit(model, data, o)],
  ['earlyStopping', 'patince', 'patience', (o) => train.earlyStopping(o)],
  ['modelCheckpoint', 'evry', 'every', (o) => train.modelCheckpoint(o)],
  ['evaluate', 'batchsize', 'batchSize', (o) => train.evaluate(model, data, o)],
  ['epochScores', 'scores', 'score', (o) => train.epochScores(model, data, o)],
  ['featuresOf', 'batchsize', 'batchSize', (o) => train.featuresOf({} as never, data, o)],
  ['crt', 'classifer', 'classifier', (o) => train.crt(data, o)],
  ['lws', 'bia', 'bias', (o) => train.lws(data, Linear(2, 2), o)],
  ['linearHead', 'gpus', 'gpu', (o) => train.linearHead({ weight: data.x }, o)],
  ['tauNorm', 'tauu', 'tau', (o) => train.tauNorm(Linear(2, 2), o)],
  ['nearestClassMean', 'metrc', 'metric', (o) => train.nearestClassMean(data, o)],
  ['drawGaussians', 'nonnegative', 'nonNegative', (o) => train.drawGaussians(gaussians, [1], undefined as never, o)],
  ['enrich', 'traget', 'target', (o) => train.enrich(data, gaussians, [0], o)],
  ['susceptibility', 'probeLabel', 'probeLabels', (o) => train.susceptibility(data, o)],
  ['susceptibilityCurve', 'windw', 'window', (o) => train.susceptibilityCurve([], o)],
];

test.each(cases)('%s: %s is refused, and %s suggested', async (name, misspelt, meant, call) => {
  const wrong = async (): Promise<unknown> => call({ [misspelt]: 1 } as never);
  await expect(wrong()).rejects.toThrow(`${name}: unknown option '${misspelt}', did you mean '${meant}'?`);
});
