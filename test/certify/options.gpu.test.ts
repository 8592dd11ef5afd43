import * as objectives from 'evenkeel/objectives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { empty, NdArray, tensor, zeros, type Tensor } from 'evenkeel';
import * as attack from 'evenkeel/attack';
import * as certify from 'evenkeel/certify';
import * as metrics from 'evenkeel/metrics';
import { Linear, linfDistHeadNet, linfDistMlp, ReLU, Sequential } from 'evenkeel/nn';

/* A misspelt option of every certifier, attack and metric, and of what makes a tensor. */

const x = new NdArray([
  [0.1, 0.2],
  [0.3, 0.4],
]);
const y = [0, 1];
const undrawn: certify.NoisyClassifier = { sigma: 1, count: () => Promise.reject(new Error('drawn')) };
let model: Sequential;
let targets: Tensor;
beforeAll(() => {
  model = Sequential(Linear(2, 3), ReLU(), Linear(3, 2)).init();
  targets = tensor([
    [0.5, 0.5],
    [0.5, 0.5],
  ]);
});
afterAll(() => {
  model.dispose();
  targets.dispose();
});
const smooth = (): certify.Smooth => new certify.Smooth(model, { numClasses: 2, sigma: 0.1 });
const onSmooth = async (run: (s: certify.Smooth) => unknown): Promise<unknown> => {
  using s = smooth();
  return await run(s);
};
const inputs = {} as never;

const cases: [name: string, wrong: string, right: string, run: (options: never) => unknown][] = [
  ['Smooth', 'sigmas', 'sigma', (o) => new certify.Smooth(model, o)],
  ['Smooth.certify', 'batchsize', 'batchSize', (o) => onSmooth((s) => s.certify(x, o))],
  ['Smooth.predict', 'alphas', 'alpha', (o) => onSmooth((s) => s.predict(x, o))],
  ['Smooth.count', 'firsts', 'first', (o) => onSmooth((s) => s.count(x, o))],
  ['certifyDataset', 'indexes', 'indices', (o) => onSmooth((s) => certify.certifyDataset(s, { x, y }, o).next())],
  ['certifyAtRadius', 'raduis', 'radius', (o) => certify.certifyAtRadius(undrawn, x, o)],
  ['certifyStaged', 'stage', 'stages', (o) => certify.certifyStaged(undrawn, x, o)],
  ['certifyInputSpecific', 'declin', 'decline', (o) => certify.certifyInputSpecific(undrawn, x, o)],
  ['smoothedPredictions', 'numclasses', 'numClasses', (o) => certify.smoothedPredictions(model, x, o)],
  ['certifyBounds', 'metod', 'method', (o) => certify.certifyBounds(model, x, o)],
  ['boxAround', 'clips', 'clip', (o) => certify.boxAround(targets, o)],
  ['crownBounds', 'methods', 'method', (o) => certify.crownBounds(model, { lower: targets, upper: targets }, o)],
  ['certifyMargin', 'batchsize', 'batchSize', (o) => certify.certifyMargin(linfDistMlp([2, 2]), x, o)],
  ['gaussian', 'sigmma', 'sigma', (o) => objectives.gaussian(o)],
  ['stability', 'lamda', 'lambda', (o) => objectives.stability(o)],
  ['stabilityTerms', 'lamda', 'lambda', (o) => objectives.stabilityTerms(inputs, o)],
  ['smoothAdv', 'warmupEpoch', 'warmupEpochs', (o) => objectives.smoothAdv(o)],
  ['smoothAdvTerms', 'gradientfree', 'gradientFree', (o) => objectives.smoothAdvTerms(inputs, o)],
  ['macer', 'gama', 'gamma', (o) => objectives.macer(o)],
  ['macerTerms', 'm', '', (o) => objectives.macerTerms(inputs, o)],
  ['consistency', 'etta', 'eta', (o) => objectives.consistency(o)],
  ['consistency: adversary', 'step', 'steps', (o) => objectives.consistency({ sigma: 1, adversary: o })],
  ['consistencyTerm', 'lamda', 'lambda', (o) => objectives.consistencyTerm(targets, 2, o)],
  ['consistencyTerms', 'forms', 'form', (o) => objectives.consistencyTerms(inputs, o)],
  ['smoothMix', 'mixstep', 'mixStep', (o) => objectives.smoothMix(o)],
  ['smoothMixTerms', 'stepsize', 'stepSize', (o) => objectives.smoothMixTerms(inputs, o)],
  ['catRs', 'target', 'targets', (o) => objectives.catRs(o)],
  ['catRsTerms', 'confidences', 'confidence', (o) => objectives.catRsTerms(inputs, o)],
  ['linfHead', 'epstrain', 'epsTrain', (o) => objectives.linfHead(linfDistHeadNet([2, 3], [3, 2]), o)],
  ['fgsm', 'epsilon', '', (o) => attack.fgsm(model, x, y, o)],
  ['pgd', 'stepsize', 'stepSize', (o) => attack.pgd(model, x, y, o)],
  ['apgd', 'restart', 'restarts', (o) => attack.apgd(model, x, y, o)],
  ['squareAttack', 'querys', 'queries', (o) => attack.squareAttack(model, x, y, o)],
  ['squareShare', 'rescales', 'rescale', (o) => attack.squareShare(1, o)],
  ['dlrLoss', 'target', 'targets', (o) => attack.dlrLoss(targets, targets as never, o)],
  ['evaluateRobustness', 'onattack', 'onAttack', (o) => attack.evaluateRobustness(model, x, y, o)],
  ['certifiedAccuracyHighProb', 'roh', '', (o) => metrics.certifiedAccuracyHighProb([1], [1], [0], o)],
  [
    'equalOpportunityDifference',
    'positiv',
    'positive',
    (o) => metrics.equalOpportunityDifference([[1, 0]], [0], [0], o),
  ],
  ['groupAccuracy', 'numgroups', 'numGroups', (o) => metrics.groupAccuracy([[1, 0]], [0], [0], o)],
  ['groupBalancedError', 'numGroup', 'numGroups', (o) => metrics.groupBalancedError([[1, 0]], [0], [0], o)],
  ['worstGroup', 'numGroups_', 'numGroups', (o) => metrics.worstGroup([[1, 0]], [0], [0], o)],
  ['shotAccuracy', 'classCount', 'classCounts', (o) => metrics.shotAccuracy([[1, 0]], [0], o)],
  ['bootstrapInterval', 'resample', 'resamples', (o) => metrics.bootstrapInterval(metrics.accuracy, [[1, 0]], [0], o)],
  ['tensor', 'dtypes', 'dtype', (o) => tensor([1], o)],
  ['empty', 'dytpe', '', (o) => empty([1], o)],
  ['zeros', 'dtpe', 'dtype', (o) => zeros([1], o)],
];

test.each(cases)('%s refuses %s', async (name, wrong, right, run) => {
  const error: unknown = await Promise.resolve({ [wrong]: 1 } as never)
    .then(run)
    .then(
      () => null,
      (e: unknown) => e,
    );
  expect(String(error)).toContain(
    `TypeError: ${name}: unknown option '${wrong}', ${right ? `did you mean '${right}'?` : ''}`,
  );
});
