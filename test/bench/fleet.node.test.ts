import { expect, test } from 'vitest';
import { fleetTable, FLEET_VERSION, nameOf, parseFleet, withTable, type FleetReport } from './fleet/report.ts';

const spread = (median: number) => ({ median, low: median, high: median });
const report = (description: string, ms: number): FleetReport => ({
  evenkeelFleet: FLEET_VERSION,
  date: '2026-11-30T12:00:00.000Z',
  browser: 'Chrome 156',
  adapter: { vendor: 'amd', architecture: 'rdna-3', device: '', description },
  features: ['timestamp-query'],
  checks: { passed: 1968, failed: [{ test: 'matmul', message: 'expected 1 to be 2' }] },
  tuned: {
    evenkeelTuning: 1,
    adapter: { vendor: 'amd', architecture: 'rdna-3', device: '' },
    limits: {},
    choices: { k: 'b' },
  },
  bench: {
    adapter: { name: 'amd, rdna-3', kind: 'hardware' },
    peaks: { multiplyAdds: 1000, loads: 100, copies: 50 },
    step: { dispatches: 12, submits: 1, buffers: 0, host: 1, encode: 0.01, total: 2 },
    workloads: [
      {
        name: 'matmul-512',
        title: 'matmul 512',
        rounds: 3,
        times: { evenkeel: spread(ms), 'jax-js': spread(2 * ms), tfjs: spread(4 * ms) },
        ratios: { 'jax-js': spread(0.5), tfjs: spread(0.25) },
        flops: 2 * 512 ** 3,
        bytes: 3 * 4 * 512 ** 2,
      } as never,
    ],
    refused: [],
    hardwareOnly: [],
    tuned: {
      evenkeelTuning: 1,
      adapter: { vendor: 'amd', architecture: 'rdna-3', device: '' },
      limits: {},
      choices: { k: 'b' },
    },
  },
});

test('reports of several GPUs become one table, a column each', () => {
  const lines = fleetTable([report('RX 7900', 1), report('', 2)]).split('\n');
  expect(lines[0]).toBe('| work | RX 7900 | amd rdna-3 |');
  expect(lines).toContain('| checks of the ops | 1968 passed, 1 failed | 1968 passed, 1 failed |');
  expect(lines.at(-1)).toMatch(/^\| matmul 512 \| 1\.00 ms, .*0\.500 \/ 0\.250 \| 2\.00 ms, .*\|$/);
  // A work that one page left out.
  const other = { ...report('B', 1), bench: { ...report('B', 1).bench, workloads: [] } };
  expect(
    fleetTable([report('A', 1), other])
      .split('\n')
      .at(-1),
  ).toMatch(/\| {2}\|$/);
});

test('an adapter is called by what is known of it', () => {
  expect(nameOf(report('RX 7900', 1))).toBe('RX 7900');
  expect(nameOf(report('', 1))).toBe('amd rdna-3');
  const nameless = { ...report('', 1), adapter: { vendor: '', architecture: '', device: '', description: '' } };
  expect(nameOf(nameless)).toBe('amd, rdna-3');
});

test('a report goes through its file; what is none is refused by its name', () => {
  const one = report('A', 1);
  expect(parseFleet(JSON.stringify(one), 'a.json')).toEqual(one);
  expect(() => parseFleet('{', 'a.json')).toThrow('a.json is no JSON');
  for (const bad of ['null', '3', '{}', '{"evenkeelFleet":1}'])
    expect(() => parseFleet(bad, 'a.json')).toThrow('a.json is no report of the fleet page');
  expect(() => parseFleet(JSON.stringify({ ...one, evenkeelFleet: 9 }), 'a.json')).toThrow('a.json is of version 9');
});

test('the table takes its place in a page', () => {
  const page = 'before\n<!-- fleet: begin -->\nold\n<!-- fleet: end -->\nafter\n';
  const next = withTable(page, '| t |');
  expect(next).toBe('before\n<!-- fleet: begin -->\n\n| t |\n\n<!-- fleet: end -->\nafter\n');
  expect(withTable(next, '| t |')).toBe(next);
  expect(() => withTable('nothing', '| t |')).toThrow('the page has no place for the table');
});
