import { expect, test } from 'vitest';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLEET_VERSION, figuresTable, nameOf, parseFigures, withFigures, type FleetReport } from './fleet/report.ts';
import { shortName } from './report.ts';

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
  const lines = figuresTable([report('RX 7900', 1), report('', 2)]).split('\n');
  expect(lines[0]).toBe('| work | RX 7900 | amd rdna-3 |');
  expect(lines).toContain('| checks of the ops | 1968 passed, 1 failed | 1968 passed, 1 failed |');
  expect(lines.at(-1)).toMatch(/^\| matmul 512 \| 1\.00 ms, .*0\.500 \/ 0\.250 \| 2\.00 ms, .*\|$/);
  // A work that one page left out.
  const other = { ...report('B', 1), bench: { ...report('B', 1).bench, workloads: [] } };
  expect(
    figuresTable([report('A', 1), other])
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
  expect(parseFigures(JSON.stringify(one), 'a.json')).toEqual(one);
  expect(() => parseFigures('{', 'a.json')).toThrow('a.json is no JSON');
  for (const bad of ['null', '3', '{}', '{"evenkeelFleet":1}'])
    expect(() => parseFigures(bad, 'a.json')).toThrow('a.json is no report');
  expect(() => parseFigures(JSON.stringify({ ...one, evenkeelFleet: 9 }), 'a.json')).toThrow('a.json is of version 9');
});

test('the table takes its place in a page, that of its kind of adapter', () => {
  const place = (kind: string, text: string): string => `<!-- figures: ${kind} -->\n${text}<!-- figures end -->\n`;
  const page = `a\n${place('software', '')}b\n${place('hardware', 'old\n')}c\n`;
  const one = report('A', 1);
  const next = withFigures(page, [one]);
  expect(next).toBe(page.replace('\nold\n', `\n\n${figuresTable([one])}\n\n`));
  expect(withFigures(next, [one])).toBe(next);
  expect(() => withFigures('nothing', [one])).toThrow('the page has no place for the table');
});

test('a browser is called by name and main version', () => {
  expect(shortName('Mozilla/5.0 (X11) AppleWebKit/537.36 HeadlessChrome/153.0.0.0 Safari/537.36')).toBe('Chrome 153');
  expect(shortName('Mozilla/5.0 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0')).toBe('Edge 140');
  expect(shortName('Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15')).toBe('Safari 26');
  expect(shortName('Node 20.19.0')).toBe('Node 20.19.0');
});

test('the page on performance shows the figures that lie beside it', () => {
  const docs = join(import.meta.dirname, '../../docs');
  const page = readFileSync(join(docs, 'performance.md'), 'utf8');
  const all = readdirSync(join(docs, 'figures')).map((file) =>
    parseFigures(readFileSync(join(docs, 'figures', file), 'utf8'), file),
  );
  for (const kind of ['software', 'hardware'] as const) {
    const own = all.filter((f) => ('bench' in f ? f.bench : f).adapter.kind === kind);
    if (own.length > 0) expect(withFigures(page, own)).toBe(page);
  }
  expect(all.length).toBeGreaterThan(0);
});
