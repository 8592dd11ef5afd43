import { describe, expect, test } from 'vitest';
import { Choice } from '../../src/gpu/tuning/choice.ts';
import { loadedChoices, tuningFile, TUNING_VERSION } from '../../src/gpu/tuning/tuning-file.ts';

const ready = (): boolean => true;

/** Measures until the choice is made, on a clock by which a repetition of candidate i takes `ms[i]`. */
function play(choice: Choice, ms: readonly number[], isReady: (i: number) => boolean = ready): number[] {
  const order: number[] = [];
  for (let trial = choice.next(isReady); trial; trial = choice.next(isReady)) {
    order.push(trial.candidate);
    choice.add(trial, 1000, ms[trial.candidate]! * trial.repeats);
    expect(order.length).toBeLessThan(200);
  }
  return order;
}

describe('a choice', () => {
  test('takes the candidate with the least median time, after three batches of 2 ms each', () => {
    const choice = new Choice('k', ['a', 'b', 'c'], true);
    expect(choice.current).toBe(0);
    play(choice, [0.02, 0.01, 0.03]);
    expect(choice.isDecided).toBe(true);
    expect(choice.current).toBe(1);
    expect(choice.report.name).toBe('b');
    expect(choice.report.reason).toBe('measured');
    // .01 ms for 1,000 operations: 10,000 ps each.
    for (const [name, ps] of [
      ['a', 20_000],
      ['b', 10_000],
      ['c', 30_000],
    ] as const)
      expect(choice.report.picoseconds[name]).toBeCloseTo(ps, 6);
  });

  test('does not leave the default for less than three per cent', () => {
    const choice = new Choice('k', ['a', 'b'], true);
    play(choice, [1, 0.98]);
    expect(choice.current).toBe(0);
    expect(choice.report.reason).toBe('measured');
  });

  test('repeats short work until a batch takes 2 ms, also on a clock that reads 0', () => {
    const choice = new Choice('k', ['a', 'b'], true);
    const first = choice.next(ready)!;
    expect(first).toEqual({ candidate: 0, repeats: 1 });
    choice.add(first, 10, 0);
    expect(choice.next(ready)).toEqual({ candidate: 0, repeats: 16 });
    choice.add({ candidate: 0, repeats: 16 }, 10, 0.5);
    // 1.25 x 2 ms / (.5 ms / 16) = 80.
    expect(choice.next(ready)).toEqual({ candidate: 0, repeats: 80 });
    // Work of no time at all ends too.
    const none = new Choice('k', ['a', 'b'], true);
    play(none, [0, 0]);
    expect(none.isDecided).toBe(true);
    expect(none.current).toBe(0);
  });

  test('waits for candidates that still compile, and does without those that do not', () => {
    const choice = new Choice('k', ['a', 'b', 'c'], true);
    play(choice, [1, 0.5, 0.1], (i) => i === 0);
    expect(choice.isDecided).toBe(false);
    choice.drop(2);
    play(choice, [1, 0.5, 0.1], (i) => i < 2);
    expect(choice.report.name).toBe('b');
    const only = new Choice('k', ['a', 'b'], true);
    play(only, [1, 1], (i) => i === 0);
    only.drop(1);
    expect(only.isDecided).toBe(true);
    expect(only.current).toBe(0);
  });

  test('stays with the default when it is closed, alone or abandoned', () => {
    expect(new Choice('k', ['a', 'b'], false).next(ready)).toBeNull();
    expect(new Choice('k', ['a'], true).next(ready)).toBeNull();
    const choice = new Choice('k', ['a', 'b'], true);
    choice.abandon();
    expect(choice.isDecided).toBe(true);
    expect(choice.report).toEqual({ name: 'a', reason: 'default', picoseconds: {} });
  });

  test('times that are none do not count', () => {
    const choice = new Choice('k', ['a', 'b'], true);
    for (const ms of [NaN, -1]) choice.add({ candidate: 0, repeats: 1 }, 10, ms);
    expect(choice.next(ready)).toEqual({ candidate: 0, repeats: 1 });
  });
});

describe('a tuning file', () => {
  const adapter = { vendor: 'amd', architecture: 'rdna-3', device: '' };
  const limits = { maxComputeWorkgroupStorageSize: 32_768, maxComputeInvocationsPerWorkgroup: 1024 };
  const own = limits as GPUSupportedLimits;
  const file = tuningFile(adapter, own, { k: 'b' });

  test('goes through JSON and back', () => {
    expect(loadedChoices(JSON.parse(JSON.stringify(file)), adapter, own)).toEqual(new Map([['k', 'b']]));
  });

  test.each([
    [{ ...file, evenkeelTuning: 99 }, adapter, own, `of version 99, this evenkeel reads ${TUNING_VERSION}`],
    [file, { ...adapter, architecture: 'rdna-2' }, own, 'of the adapter amd rdna-3, this is amd rdna-2'],
    [file, { vendor: '', architecture: '', device: '' }, own, 'does not tell its vendor and architecture'],
    [{ ...file, adapter: { vendor: '', architecture: '', device: '' } }, adapter, own, 'of the adapter without a name'],
    [
      file,
      adapter,
      { ...limits, maxComputeInvocationsPerWorkgroup: 256 } as GPUSupportedLimits,
      'maxComputeInvocationsPerWorkgroup 1024, this has 256',
    ],
  ])('of another version or device is left, with a sentence: %#', (given, here, has, words) => {
    expect(loadedChoices(given, here, has)).toContain(words);
  });

  test.each([null, 'text', [], {}, { ...file, choices: { k: 1 } }, { ...file, limits: null }, { ...file, adapter: 3 }])(
    'that is none is refused: %#',
    (bad) => {
      expect(() => loadedChoices(bad, adapter, own)).toThrow('init: tuned is no tuning file');
    },
  );
});
