import { expect, test } from 'vitest';
import { alphaFlips, judge, type AlphaFlipsRun } from '../../examples/reproduce/alpha-flips.ts';

const NAMES = ['0.9', '1', '1.5', '2', '3', '4', '7', 'inf'];
/** The means of the independent program. */
const TABLE: Record<number, number[]> = {
  0: [84.54, 84.61, 84.76, 84.42, 83.95, 83.67, 83.14, 82.17],
  0.1: [83.66, 83.97, 84.38, 84.51, 83.93, 83.52, 82.89, 81.52],
  0.2: [83.34, 83.51, 84.07, 84.16, 84.04, 83.68, 82.76, 80.98],
  0.3: [81.25, 81.76, 82.62, 83.22, 83.49, 83.41, 82.92, 80.42],
  0.4: [73.96, 74.83, 77.4, 78.88, 80.41, 81.2, 81.89, 79.83],
};
const runs = (change: Record<string, number> = {}): AlphaFlipsRun[] =>
  [0, 1].flatMap((seed) =>
    Object.entries(TABLE).flatMap(([flips, row]) =>
      row.map((value, j) => ({
        dataset: 'd',
        seed,
        flips: Number(flips),
        alpha: NAMES[j]!,
        accuracy: (change[`${flips} ${NAMES[j]!}`] ?? value) / 100,
      })),
    ),
  );

test('holds for the means of the independent program', () => {
  const { holds, result, table } = judge(runs());
  expect(holds).toBe(true);
  expect(result.bestAlpha).toEqual({ 0: '1.5', 0.1: '2', 0.2: '2', 0.3: '3', 0.4: '7' });
  expect(table.rows[4]!.at(-1)).toBe('7');
});

test('does not hold when the best alpha falls, alpha = 7 leads too little, a mean is off, or without runs', () => {
  expect(judge(runs({ '0.2 1.5': 84.5 })).result.rises).toBe(false);
  expect(judge(runs({ '0.2 1.5': 84.5 })).holds).toBe(false);
  expect(judge(runs({ '0.4 1': 77 })).holds).toBe(false);
  expect(judge(runs({ '0 1': 83.8 })).holds).toBe(false);
  expect(judge([]).holds).toBe(false);
});

test('states its protocol', () => {
  expect(alphaFlips.protocol({ seeds: 3, full: false })).toMatch(
    /5000 training images of each class.*50 epochs.*3 seeds/,
  );
  expect(alphaFlips.protocol({ seeds: 3, full: true })).toMatch(/10 seeds/);
});
