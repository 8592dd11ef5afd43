import { expect, test } from 'vitest';
import { BARS, verdict } from './bars.ts';
import { formatMarkdown, formatReport, sentencesOf, type BenchReport } from './report.ts';
import { Refusal, runWorkload } from './runner.ts';
import type { Contestant, Engine } from './contestant.ts';
import { WORKLOADS } from './workloads.ts';

const same = (median: number) => ({ median, low: median, high: median });
const report = (): BenchReport => ({
  host: 'chrome',
  date: '2026-12-01T00:00:00.000Z',
  browser: 'Chrome 153',
  adapter: { name: 'made up', kind: 'software' },
  peaks: { multiplyAdds: 5, loads: 2, copies: 2 },
  step: { dispatches: 12, submits: 1, buffers: 0, host: 1, encode: 0.048, total: 10 },
  workloads: [
    {
      name: 'matmul-512',
      title: 'matmul 512',
      rounds: 3,
      times: { evenkeel: same(40), 'jax-js': same(100) },
      ratios: { 'jax-js': same(0.4) },
      errors: { 'jax-js': 0 },
      operations: 2 ** 28,
      bytes: 3 * 2 ** 20,
    },
  ],
  refused: ['mlp: tfjs computes something else'],
  tuned: { evenkeelTuning: 1, adapter: { vendor: '', architecture: '', device: '' }, limits: {}, choices: {} },
  hardwareOnly: ['matmul-4096'],
  coldStart: { rounds: 1, times: { evenkeel: same(900), 'jax-js': same(1000) }, ratios: { 'jax-js': same(0.9) } },
  bundleBytes: { all: 51_200, program: 40_960 },
});

test('a verdict says figure, bar and whether it is met', () => {
  expect(sentencesOf(report())).toEqual([
    'hardware only, left out on this software adapter: matmul-4096',
    'refused: mlp: tfjs computes something else',
    'matmul 512 / jax-js: 0.4 x, at most 0.5 asked: met',
    'matmul 512, share of the multiply-add peak: 67.1 %, at least 60 asked: met',
    'cold start: 900 ms, at most 1000 asked: met',
    'cold start / jax-js: 0.9 x, at most 0.7 asked: missed',
    'dispatches of the MLP step: 12, at most 13 asked: met',
    'submits of the MLP step: 1, at most 1 asked: met',
    'buffers created by the MLP step: 0, at most 0 asked: met',
    'host time of the MLP step: 10 %, at most 5 asked: missed',
    'encoding a dispatch of the MLP step: 4 us, at most 3 asked: missed',
    'bundle of all of evenkeel: 50 KiB, at most 50 asked: met',
    expect.stringMatching(/^bundle of .* program: 40 KiB, at most 30 asked: missed$/),
  ]);
});

test('a bar of the other kind of adapter, or without a figure, says nothing', () => {
  const bar = BARS.find(({ what }) => what === 'matmul 512 / jax-js')!;
  expect(verdict(bar, { ...report(), adapter: { name: 'card', kind: 'hardware' } })).toBeNull();
  expect(verdict(bar, { ...report(), workloads: [] })).toBeNull();
});

test('the report prints as text and as Markdown', () => {
  expect(formatReport(report(), false)).toMatch(
    /matmul 512 +evenkeel +40\.0 \(40\.0 \.\. 40\.0\) +67 % +3\n +jax-js +100 \(100 \.\. 100\) +0\.400 \(0\.400 \.\. 0\.400\)/,
  );
  expect(formatReport(report(), false)).toMatch(/encoding, without the submit +4\.0 us a dispatch/);
  expect(formatReport(report(), true)).toContain('| matmul 512 | evenkeel | 40.0 (40.0 .. 40.0) |  | 67 % | 3 |');
  expect(formatMarkdown(['a', 'b'], [['x|y', '1']])).toBe('| a | b |\n|---|---:|\n| x\\|y | 1 |');
});

/** An engine that answers at once; `held` counts what was not disposed. */
function engine(name: string, numbers: number[] | null, calls: string[]): Engine {
  let held = 0;
  const contestant: Contestant = {
    call: () => Promise.resolve(void calls.push(name)),
    result: numbers && (() => Promise.resolve(numbers)),
    dispose: () => void held--,
  };
  return { name, enter: () => (held++, { [name]: contestant }), held: () => held };
}

test('a workload is timed in rotated order once all results agree; yardsticks are not compared', async () => {
  const calls: string[] = [];
  const { ratios, errors, rounds } = await runWorkload(
    WORKLOADS[0]!,
    [engine('evenkeel', [1, 2], calls), engine('peer', [1, 2], calls), engine('yardstick', null, calls)],
    { rounds: 2, seconds: 1 },
  );
  expect(rounds).toBe(2);
  expect(errors).toEqual({ peer: 0 });
  expect(Object.keys(ratios)).toEqual(['peer', 'yardstick']);
  expect([...new Set(calls)]).toEqual(['evenkeel', 'peer', 'yardstick']);
});

test('a peer that computes something else is refused before any call is timed, and everything is freed', async () => {
  const calls: string[] = [];
  const engines = [engine('evenkeel', [1, 2], calls), engine('peer', [1, 2.1], calls)];
  await expect(runWorkload(WORKLOADS[0]!, engines, { rounds: 2, seconds: 1 })).rejects.toThrow(Refusal);
  await expect(runWorkload(WORKLOADS[0]!, engines, { rounds: 2, seconds: 1 })).rejects.toThrow(
    'matmul-256: peer computes something else: it differs from evenkeel by 0.050 of the largest value, at ' +
      'most 0.00001 is accepted',
  );
  expect(calls).toEqual([]);
  expect(engines.map((e) => e.held())).toEqual([0, 0]);
});
