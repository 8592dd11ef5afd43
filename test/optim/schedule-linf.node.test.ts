import { expect, test } from 'vitest';
import { linfSchedule } from 'evenkeel/optim';
import file from '../golden/linf-dist.json';
import { casesOf, flat } from '../support/golden.ts';

test.each(casesOf(file, 'linfScheduleV2'))('$name', ({ options, outputs }) => {
  const { epochs, stepsPerEpoch, lambda0, ...o } = options as Record<string, number>;
  const given = Object.fromEntries(Object.entries(o).filter(([name]) => /^(p|eps)(Start|End)|^epsSmooth$/.test(name)));
  const seen: unknown[] = [];
  const schedule = linfSchedule({
    ...given,
    lambda: lambda0!,
    lambdaEnd: o.lambdaEnd!,
    pStartEpoch: o.pStartEpoch!,
    pEndEpoch: o.pEndEpoch!,
    apply: (v) => seen.push(v),
  });
  const steps = epochs! * stepsPerEpoch!;
  for (let step = 0; step < steps; step++) {
    const at = { epoch: Math.floor(step / stepsPerEpoch!), epochs: epochs!, step, stepsPerEpoch: stepsPerEpoch! };
    const now = schedule.at(at);
    const want = (name: string): number => flat(outputs[name])[step]!;
    for (const name of ['p', 'lambda', 'eps'] as const) {
      if (want(name) === Infinity) expect(now[name]).toBe(Infinity);
      else expect(Math.abs(now[name] - want(name)), `${name} ${step}`).toBeLessThanOrEqual(1e-9 * Math.abs(want(name)));
    }
    for (const [name, base] of [
      ['lr', o.lr!],
      ['scalarLr', o.scalarLr!],
    ] as const)
      expect(schedule.lr!(at, base)).toBeCloseTo(want(name), 12);
    schedule.apply!(at);
    expect(seen.at(-1)).toEqual(now);
  }
});

test('errors', () => {
  const base = { pStartEpoch: 1, pEndEpoch: 2, lambda: 1, lambdaEnd: 0.1 };
  expect(() => linfSchedule({ ...base, pEndEpoch: 0 })).toThrow(
    'linfSchedule: pEndEpoch is 0, expected a finite number >= 1',
  );
  expect(() => linfSchedule({ ...base, pStart: 0.5 })).toThrow(
    'linfSchedule: pStart is 0.5, expected a finite number >= 1',
  );
});
