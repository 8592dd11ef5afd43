import { expect, test } from 'vitest';
import { scope } from 'evenkeel';
import * as losses from 'evenkeel/losses';
import * as objectives from 'evenkeel/objectives';
import { checkLoss } from '../support/check-loss.ts';
import { C, ce, counts, LOSS_TABLE } from '../support/loss-table.ts';

test.each(Object.entries(LOSS_TABLE))('%s', (_name, row) => checkLoss(row));

test('linfHinge refuses a radius or a share that means nothing', () => {
  expect(() => objectives.linfHinge({ epsTrain: 0 })).toThrow('linfHinge: epsTrain is 0, expected a finite number > 0');
  expect(() => objectives.linfHinge({ epsTrain: 1, mix: 2 })).toThrow('linfHinge: mix is 2, expected a number in 0..1');
});

test('ldam without margin is cross-entropy of s z', () => {
  scope(() => expect(losses.ldam({ classCounts: counts, maxM: 0 }).name).toBe('ldam'));
  return checkLoss({
    make: () => losses.ldam({ classCounts: counts, maxM: 0, scale: 3 }),
    classes: C,
    isShiftInvariant: true,
    reference: (z, y) =>
      ce(
        z.map((v) => 3 * v),
        y,
      ),
  });
});
