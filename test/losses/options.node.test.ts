import { expect, test } from 'vitest';
import * as ofLosses from 'evenkeel/losses';
import * as objectives from 'evenkeel/objectives';

const losses = { ...ofLosses, ...objectives };

/**
 * Every function of `evenkeel/losses` and `evenkeel/objectives` with options, where they stand among its arguments, and a misspelt one with the
 * right word.
 */
const table: [name: keyof typeof losses, at: number, wrong: string, right: string][] = [
  ['absgd', 1, 'lambdaa', 'lambda'],
  ['alphaLoss', 0, 'alphaa', 'alpha'],
  ['alphaSchedule', 0, 'fromm', 'from'],
  ['bayias', 0, 'testPriorr', 'testPrior'],
  ['biTempered', 0, 'iterationss', 'iterations'],
  ['temperedSoftmax', 1, 'iterationss', 'iterations'],
  ['brierLoss', 0, 'weightt', 'weight'],
  ['cals', 0, 'numClassess', 'numClasses'],
  ['calsHr', 0, 'numClassess', 'numClasses'],
  ['cdbTau', 1, 'dynamicc', 'dynamic'],
  ['cdbWeights', 1, 'dynamicc', 'dynamic'],
  ['cdb', 0, 'numClassess', 'numClasses'],
  ['classBalancedCrossEntropy', 0, 'classCountss', 'classCounts'],
  ['classBalancedFocal', 0, 'gammaa', 'gamma'],
  ['entropyPenalty', 0, 'lambdaa', 'lambda'],
  ['l1Penalty', 0, 'lambdaa', 'lambda'],
  ['cores', 0, 'betaa', 'beta'],
  ['cpc', 0, 'lambdaBdcc', 'lambdaBdc'],
  ['crossEntropyLoss', 0, 'weightt', 'weight'],
  ['cutmix', 0, 'alphaa', 'alpha'],
  ['elr', 0, 'numSampless', 'numSamples'],
  ['equalization', 0, 'classCountss', 'classCounts'],
  ['focalAdaptive', 0, 'gammaa', 'gamma'],
  ['focal', 0, 'gammaa', 'gamma'],
  ['groupDro', 1, 'groupCountss', 'groupCounts'],
  ['binaryVs', 0, 'deltaa', 'delta'],
  ['groupVs', 0, 'groupCountss', 'groupCounts'],
  ['influenceBalanced', 0, 'alphaa', 'alpha'],
  ['influenced', 1, 'fromm', 'from'],
  ['jensenShannon', 0, 'weightt', 'weight'],
  ['klDro', 1, 'lambdaa', 'lambda'],
  ['labelSmoothings', 1, 'smoothHeadd', 'smoothHead'],
  ['labelAwareSmoothing', 0, 'classCountss', 'classCounts'],
  ['ldamHinge', 0, 'classCountss', 'classCounts'],
  ['ldam', 0, 'classCountss', 'classCounts'],
  ['linfHinge', 0, 'epsTrainn', 'epsTrain'],
  ['linfMargin', 0, 'epsTrainn', 'epsTrain'],
  ['logitClamp', 1, 'highh', 'high'],
  ['logitClipBounds', 0, 'numClassess', 'numClasses'],
  ['symmetricNoiseExcess', 1, 'ratee', 'rate'],
  ['clipLogits', 2, 'compatt', 'compat'],
  ['logitClip', 1, 'compatt', 'compat'],
  ['logitNorm', 1, 'tauu', 'tau'],
  ['logitPenalty', 0, 'weightt', 'weight'],
  ['manifoldMixup', 1, 'layerss', 'layers'],
  ['mbls', 0, 'marginn', 'margin'],
  ['mixed', 2, 'untill', 'until'],
  ['mixup', 0, 'alphaa', 'alpha'],
  ['mmce', 0, 'lambdaa', 'lambda'],
  ['negativeLearning', 0, 'weightt', 'weight'],
  ['noisedTopK', 0, 'epss', 'eps'],
  ['nce', 0, 'weightt', 'weight'],
  ['nfl', 0, 'gammaa', 'gamma'],
  ['ngce', 0, 'floorr', 'floor'],
  ['combined', 1, 'weightt', 'weight'],
  ['remixWeight', 3, 'kappaa', 'kappa'],
  ['remix', 0, 'classCountss', 'classCounts'],
  ['mae', 0, 'scalee', 'scale'],
  ['rce', 0, 'scalee', 'scale'],
  ['sce', 0, 'alphaa', 'alpha'],
  ['gce', 0, 'floorr', 'floor'],
  ['phuberCE', 0, 'weightt', 'weight'],
  ['phuberGCE', 0, 'weightt', 'weight'],
  ['taylorCE', 0, 'orderr', 'order'],
  ['agce', 0, 'weightt', 'weight'],
  ['aul', 0, 'weightt', 'weight'],
  ['ael', 0, 'weightt', 'weight'],
  ['forwardCorrection', 0, 'transitionn', 'transition'],
  ['backwardCorrection', 0, 'transitionn', 'transition'],
  ['truncatedGce', 0, 'numSampless', 'numSamples'],
  ['twoHead', 0, 'lambdaa', 'lambda'],
  ['unimixPartnerProbabilities', 1, 'tauu', 'tau'],
  ['unimix', 0, 'classCountss', 'classCounts'],
  ['vsAdjustments', 1, 'gammaa', 'gamma'],
  ['vs', 0, 'gammaa', 'gamma'],
  ['logitAdjusted', 0, 'testPriorr', 'testPrior'],
  ['balancedSoftmax', 0, 'classCountss', 'classCounts'],
  ['cdt', 0, 'gammaa', 'gamma'],
  ['adjustedCrossEntropy', 0, 'marginn', 'margin'],
  ['deviceTable', 1, 'dtypee', 'dtype'],
];
/** Functions without options. */
const without = [
  'effectiveNumberWeights',
  'inverseFrequencyWeights',
  'inverseSqrtWeights',
  'ldamMargins',
  'smoothWeights',
  'alphaBounds',
  'alphaInflection',
  'alphaMarginLoss',
  'alphaMinimalRisk',
  'alphaMinimiser',
  'gaussianAlphaRisk',
  'slqcRadius',
  'slqcTransfer',
  'coresBeta',
  'coresPrior',
  'untilt',
  'scheduledLoss',
  'normalizeLogits',
  'singleLogit',
  'splitHeads',
  'mixedLoss',
  'unimixFactor',
  'almPenalty',
  'grouped',
  'asLoss',
  'defineKernelLoss',
  'defineLoss',
  // Those of randomised smoothing have their rows in test/certify/options.gpu.test.ts.
  'catRs',
  'catRsTerms',
  'consistency',
  'consistencyTerm',
  'consistencyTerms',
  'gaussian',
  'gaussianTerms',
  'linfHead',
  'macer',
  'macerTerms',
  'smoothAdv',
  'smoothAdvTerms',
  'smoothMix',
  'smoothMixTerms',
  'stability',
  'stabilityTerms',
];

test.each(table)('%s refuses an unknown option and suggests the right one', (name, at, wrong, right) => {
  const call = losses[name] as unknown as (...args: unknown[]) => unknown;
  const args = (options: unknown): unknown[] => [...Array.from({ length: at }, () => ({})), options];
  expect(() => call(...args({ [wrong]: 1 }))).toThrow(
    new TypeError(`${name}: unknown option '${wrong}', did you mean '${right}'?`),
  );
  expect(() => call(...args({ nothingLikeIt: 1 }))).toThrow(
    `${name}: unknown option 'nothingLikeIt', expected one of `,
  );
  expect(() => call(...args(3))).toThrow(`${name}: options are 3, expected an object`);
});

test('a definition refuses what it does not know, under its own name', () => {
  const mine = { name: 'mine', values: () => 0 } as unknown as ofLosses.LossDefinition;
  expect(() => losses.defineLoss({ ...mine, weightt: [1] } as never)).toThrow(
    new TypeError("mine: unknown option 'weightt', did you mean 'weight'?"),
  );
  const kernel = losses.adjustedCrossEntropy();
  expect(() => losses.defineKernelLoss({ name: 'mine', kernel, tables: {} } as never)).toThrow(
    "mine: unknown option 'tables', expected one of name, weight, reduction, numClasses, heads, owns, kernel",
  );
  expect(() => losses.defineLoss({ name: 'mine' } as never)).toThrow(
    new TypeError('mine: values is undefined, expected a function of logits and labels'),
  );
  expect(() => losses.defineLoss({ values: () => 0 } as never)).toThrow(
    new TypeError('defineLoss: name is undefined, expected a string'),
  );
});

test('the table has every function with options', () => {
  const named = new Set<string>([...table.map(([name]) => name), ...without]);
  expect(Object.keys(losses).filter((name) => !named.has(name))).toEqual([]);
});

test.each([
  losses.crossEntropyLoss(),
  losses.ldam({ classCounts: [3, 2] }),
  losses.mae(),
  losses.brierLoss(),
  losses.groupVs({ groupCounts: [3, 2] }),
  losses.cals({ numClasses: 2 }),
  losses.absgd(losses.crossEntropyLoss()),
  losses.logitClip(losses.crossEntropyLoss()),
  losses.groupDro(losses.crossEntropyLoss(), { groupCounts: [3, 2] }),
])('a misspelt input of a call of $name', (loss) => {
  const call = loss as unknown as (...args: unknown[]) => unknown;
  expect(() => call(null, [0], { sampleWeigth: 1 })).toThrow(
    new TypeError(`${(loss as { name: string }).name}: unknown option 'sampleWeigth', did you mean 'sampleWeight'?`),
  );
});
