import { expect, test } from 'vitest';
import { linfSchedule } from 'evenkeel/optim';
import file from '../golden/linf-dist.json';
import { casesOf, flat } from '../support/golden.ts';

test.each(casesOf(file, 'linfScheduleV2'))('$name', ({ options, outputs }) => {
  const o = options as Record<string, number>;
  const seen: unknown[] = [];
  const schedule = linfSchedule({ ...o, lambda: o.lambda0!, lambdaEnd: o.lambdaEnd!, pStartEpoch: o.pStartEpoch!, pEndEpoch: o.pEndEpoch!, apply: (v) => seen.push(v) });
  const steps = o.epochs! * o.stepsPerEpoch!;
  for (let step = 0; step < steps; step++) {
    const at = { epoch: Math.floor(step / o.stepsPerEpoch!), epochs: o.epochs!, step, stepsPerEpoch: o.stepsPerEpoch! };
    const now = schedule.at(at);
    const want = (name: string): number => flat(outputs[name])[step]!;
    for (const name of ['p', 'lambda', 'eps'] as const) {
      if (want(name) === Infinity) expect(now[name]).toBe(Infinity);
      else expect(Math.abs(now[name] - want(name)), `${name} ${step}`).toBeLessThanOrEqual(1e-9 * Math.abs(want(name)));
    }
    for (const [name, base] of [['lr', o.lr!], ['scalarLr', o.scalarLr!]] as const) expect(schedule.lr!(at, base)).toBeCloseTo(want(name), 12);
    schedule.apply!(at);
    expect(seen.at(-1)).toEqual(now);
  }
});

test('errors', () => {
  const base = { pStartEpoch: 1, pEndEpoch: 2, lambda: 1, lambdaEnd: 0.1 };
  expect(() => linfSchedule({ ...base, pEndEpoch: 0 })).toThrow('linfSchedule: pEndEpoch is 0, expected a number of at least 1');
  expect(() => linfSchedule({ ...base, pStart: 0.5 })).toThrow('linfSchedule: pStart is 0.5, expected a number of at least 1');
});
