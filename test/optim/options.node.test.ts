import { expect, test } from 'vitest';
import * as optim from 'evenkeel/optim';

/** Functions of `evenkeel/optim` whose options are not their first argument. */
const places: Partial<Record<keyof typeof optim, number>> = { clipGradNorm: 1, clipGradValue: 1, gradScaler: 1 };
/** Functions without options. */
const without: readonly string[] = ['AveragedWeights', 'LossScale', 'lambdaLr', 'loadState', 'saveState'];

const known = (Object.keys(optim) as (keyof typeof optim)[]).filter((name) => !without.includes(name));

test.each(known)('%s refuses an unknown option and suggests the right one', (name) => {
  const base = optim.sgd({ lr: 0.1 });
  const call = optim[name] as unknown as (...args: unknown[]) => unknown;
  const messageOf = (options: unknown): string => {
    try {
      call(...Array.from({ length: places[name] ?? 0 }, () => base), options);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  const listed = new RegExp(`^${name}: unknown option 'nothingLikeIt', expected one of (.+)$`);
  const options = listed.exec(messageOf({ nothingLikeIt: 1 }))?.[1]?.split(', ') ?? [];
  expect(options).not.toEqual([]);
  for (const right of options) {
    const wrong = right + right.at(-1)!;
    expect(messageOf({ [wrong]: 1 })).toBe(`${name}: unknown option '${wrong}', did you mean '${right}'?`);
  }
});

test('every name of the tables above is exported', () => {
  expect([...without, ...Object.keys(places)].filter((name) => !(name in optim))).toEqual([]);
});
