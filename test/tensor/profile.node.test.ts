import { describe, expect, test } from 'vitest';
import { Profile, type ProfiledDispatch } from '../../src/gpu/profile-report.ts';

const launch = (
  name: string,
  begin: number | null,
  end: number | null,
  more: Partial<ProfiledDispatch> = {},
): ProfiledDispatch => ({ name, variant: '', workgroups: [1, 1, 1], bytes: 1000, flops: null, begin, end, ...more });

const launches = [
  launch('unary.forward', 100, 350, { variant: 'apply=return exp(x);' }),
  launch('matmul.forward', 400, 1400, { bytes: 2_000_000, flops: 8e6, workgroups: [4, 2, 1] }),
  launch('unary.forward', 1500, 1750, { variant: 'apply=return exp(x);' }),
  launch('unary.forward', 1800, 2300, { variant: 'apply=return -x;' }),
];
const profile = new Profile('value', 3.5, [{ begin: 20, end: 90, dispatches: 4 }], launches);

describe('kernels', () => {
  test('are grouped by name and variant, the longest first', () => {
    expect([profile.value, profile.wallMs, profile.submits, profile.dispatches, profile.gpuMs, profile.note]).toEqual([
      'value',
      3.5,
      1,
      4,
      2,
      null,
    ]);
    expect(profile.kernels).toEqual([
      {
        name: 'matmul.forward',
        variant: '',
        count: 1,
        gpuMs: 1,
        bytes: 2_000_000,
        flops: 8e6,
        intensity: 4,
        share: 0.5,
      },
      {
        name: 'unary.forward',
        variant: 'apply=return exp(x);',
        count: 2,
        gpuMs: 0.5,
        bytes: 2000,
        flops: null,
        intensity: null,
        share: 0.25,
      },
      {
        name: 'unary.forward',
        variant: 'apply=return -x;',
        count: 1,
        gpuMs: 0.5,
        bytes: 1000,
        flops: null,
        intensity: null,
        share: 0.25,
      },
    ]);
  });

  test('have no device time without timestamps, and the profile says so', () => {
    const untimed = new Profile(0, 1, [], [launch('a', null, null), launch('b', null, null, { bytes: 5000 })]);
    expect(untimed.kernels.map((k) => [k.name, k.gpuMs, k.share])).toEqual([
      ['b', null, null],
      ['a', null, null],
    ]);
    expect([untimed.gpuMs, untimed.note]).toEqual([
      null,
      'the device has no timestamp queries: kernels have no device time',
    ]);
  });

  test('have none where the clock ran backwards', () => {
    const odd = new Profile(0, 1, [], [launch('a', 0, 10), launch('b', 20, 15)]);
    expect(odd.kernels.map((k) => [k.name, k.gpuMs, k.share])).toEqual([
      ['a', 0.01, null],
      ['b', null, null],
    ]);
    expect(odd.note).toBe('the clock of the device ran backwards: some kernels have no device time');
    expect(
      (JSON.parse(odd.trace()) as { traceEvents: { name: string; pid: number }[] }).traceEvents
        .filter((e) => e.pid === 2)
        .map((e) => e.name),
    ).toEqual(['process_name', 'a']);
  });

  test('that all took less than a tick have no share', () => {
    const short = new Profile(0, 1, [], [launch('a', 5, 5, { flops: 10 })]);
    expect(short.kernels).toMatchObject([{ gpuMs: 0, share: null }]);
    expect(short.table()).toContain('\na           1  0.000        –  0.001  0.000       0.01        –');
  });
});

test('the table has columns of fixed width', () => {
  expect(profile.table()).toBe(
    [
      'wall 3.50 ms, device 2.00 ms, 1 submit, 4 dispatches',
      '',
      'kernel          count     ms  share %     MB  Mflop  flop/byte  Gflop/s  variant',
      'matmul.forward      1  1.000     50.0  2.000  8.000       4.00     8.00',
      'unary.forward       2  0.500     25.0  0.002      –          –        –  apply=return exp(x);',
      'unary.forward       1  0.500     25.0  0.001      –          –        –  apply=return -x;',
    ].join('\n'),
  );
  expect(new Profile(0, 0.25, [], []).table()).toBe(
    'wall 0.25 ms, device 0.00 ms, 0 submits, 0 dispatches\n\nkernel  count  ms  share %  MB  Mflop  ' +
      'flop/byte  Gflop/s  variant',
  );
  expect(new Profile(0, 1, [], [launch('a', null, null)]).table()).toMatch(
    /^wall 1\.00 ms, device – ms, 0 submits, 1 dispatch\nthe device has no timestamp queries: kernels have no device time\n\nkernel/,
  );
});

test('the trace is in the object format of Chrome, host and device as two processes', () => {
  const { displayTimeUnit, traceEvents } = JSON.parse(profile.trace()) as {
    displayTimeUnit: string;
    traceEvents: Record<string, unknown>[];
  };
  expect(displayTimeUnit).toBe('ms');
  expect(traceEvents.slice(0, 4)).toEqual([
    { ph: 'M', name: 'process_name', pid: 1, tid: 0, args: { name: 'host' } },
    { ph: 'X', name: 'profile', cat: 'host', pid: 1, tid: 0, ts: 0, dur: 3500, args: { submits: 1, dispatches: 4 } },
    { ph: 'X', name: 'encode and submit', cat: 'host', pid: 1, tid: 0, ts: 20, dur: 70, args: { dispatches: 4 } },
    { ph: 'M', name: 'process_name', pid: 2, tid: 0, args: { name: 'device, from its first kernel on' } },
  ]);
  expect(traceEvents.slice(4).map((e) => [e.name, e.ts, e.dur])).toEqual([
    ['unary.forward', 0, 250],
    ['matmul.forward', 300, 1000],
    ['unary.forward', 1400, 250],
    ['unary.forward', 1700, 500],
  ]);
  expect(traceEvents[5]!.args).toEqual({ variant: '', workgroups: [4, 2, 1], bytes: 2_000_000, flops: 8e6 });
  expect(JSON.parse(new Profile(0, 1, [], [launch('a', null, null)]).trace()).traceEvents).toHaveLength(2);
});
