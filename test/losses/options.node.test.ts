import { expect, test } from 'vitest';
import * as ofLosses from 'evenkeel/losses';
import * as objectives from 'evenkeel/objectives';
import { PARTS } from '../support/loss-parts.ts';

const losses = { ...ofLosses, ...objectives };

/**
 * Where the options of a function of `evenkeel/losses` and `evenkeel/objectives` stand among its arguments; of a function
 * that is in neither table they come first, as those of a loss.
 */
const places: Partial<Record<keyof typeof losses, number>> = {
  absgd: 1,
  temperedSoftmax: 1,
  cdbTau: 1,
  cdbWeights: 1,
  groupDro: 1,
  influenced: 1,
  klDro: 1,
  labelSmoothings: 1,
  logitClamp: 1,
  symmetricNoiseExcess: 1,
  clipLogits: 2,
  logitClip: 1,
  logitNorm: 1,
  manifoldMixup: 1,
  mixed: 2,
  combined: 1,
  remixWeight: 3,
  unimixPartnerProbabilities: 1,
  vsAdjustments: 1,
  deviceTable: 1,
};
/** Functions without options. */
const without = [
  ...PARTS,
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

const known = (Object.keys(losses) as (keyof typeof losses)[]).filter((name) => !without.includes(name));

test.each(known)('%s refuses an unknown option and suggests the right one', (name) => {
  const call = losses[name] as unknown as (...args: unknown[]) => unknown;
  const withOptions = (options: unknown) => (): unknown =>
    call(...Array.from({ length: places[name] ?? 0 }, () => ({})), options);
  const all = new RegExp(`^${name}: unknown option 'nothingLikeIt', expected one of (.*)$|$`);
  expect(withOptions({ nothingLikeIt: 1 })).toThrow(all);
  const options = all.exec(messageOf(withOptions({ nothingLikeIt: 1 })))![1]!.split(', ');
  for (const right of options) {
    const wrong = right + right.at(-1)!;
    expect(withOptions({ [wrong]: 1 })).toThrow(
      new TypeError(`${name}: unknown option '${wrong}', did you mean '${right}'?`),
    );
  }
  expect(withOptions(3)).toThrow(`${name}: options are 3, expected an object`);
});

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

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

test('every name of the tables above is exported', () => {
  expect([...without, ...Object.keys(places)].filter((name) => !(name in losses))).toEqual([]);
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
