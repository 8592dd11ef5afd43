import { formatTable } from '../../src/cli/table.ts';
import { BARS, verdict } from './bars.ts';
import type { BenchResult } from './bench-job.ts';
import { leastTime } from './roofline.ts';
import type { Spread } from './statistics.ts';

/** All figures of a run; what `--json` writes. */
export interface BenchReport extends BenchResult {
  /** When, as an ISO date. */
  date: string;
  /** Browser or runtime with its version. */
  browser: string;
  host: 'chrome' | 'node';
  /** ms from the start of the navigation to the end of the first MLP step; null where it was not asked for. */
  coldStart: { rounds: number; times: Record<string, Spread>; ratios: Record<string, Spread> } | null;
  /** Bytes of bundles, minified and gzipped. */
  bundleBytes: { all: number; program: number };
}

/** A table with its title. */
export interface Table {
  title: string;
  head: readonly string[];
  rows: readonly (readonly string[])[];
}

/** All tables of a report. */
export function tablesOf(report: BenchReport): Table[] {
  return [timesTable(report), peaksTable(report), stepTable(report)];
}

/** Times, ratios and shares of the limit. */
export function timesTable(report: Pick<BenchReport, 'workloads' | 'peaks'> & Partial<BenchReport>): Table {
  const rows = report.workloads.flatMap((w) => {
    const least = leastTime(report.peaks, w);
    return Object.entries(w.times).map(([name, time], i) => [
      i === 0 ? w.title : '',
      name,
      shown(time),
      w.ratios[name] ? shown(w.ratios[name]) : '',
      least !== null && name === 'evenkeel' ? `${((100 * least) / time.median).toFixed(0)} %` : '',
      String(w.rounds),
    ]);
  });
  const { coldStart } = report;
  if (coldStart) {
    for (const [i, [name, time]] of Object.entries(coldStart.times).entries()) {
      rows.push([
        i === 0 ? 'cold start: page load to the end of the first MLP step' : '',
        name,
        shown(time),
        coldStart.ratios[name] ? shown(coldStart.ratios[name]) : '',
        '',
        String(coldStart.rounds),
      ]);
    }
  }
  return {
    title:
      `Medians with quartiles. Ratio: evenkeel's time over this one's, by pairs. Limit: share of the time that ` +
      'arithmetic or memory allow.',
    head: ['work', 'on', 'ms', 'ratio', 'limit', 'rounds'],
    rows,
  };
}

/** Peaks of the adapter. */
export function peaksTable({ adapter, peaks }: Pick<BenchReport, 'adapter' | 'peaks'>): Table {
  return {
    title: `Measured peaks of ${adapter.name} (${adapter.kind})`,
    head: ['peak', 'rate'],
    rows: [
      ['multiply-add', `${peaks.multiplyAdds.toPrecision(3)} G/s`],
      ['load', `${peaks.loads.toPrecision(3)} GB/s`],
      ['copy, read plus written', `${peaks.copies.toPrecision(3)} GB/s`],
    ],
  };
}

function stepTable({ step, bundleBytes }: BenchReport): Table {
  return {
    title: 'What a step of the MLP asks, and what a page downloads',
    head: ['figure', 'value'],
    rows: [
      ['dispatches, submits, buffers created', `${step.dispatches}, ${step.submits}, ${step.buffers}`],
      ['host time', `${step.host.toPrecision(2)} ms of ${step.total.toPrecision(3)} ms`],
      ['encoding, without the submit', `${((1000 * step.encode) / step.dispatches).toPrecision(2)} us a dispatch`],
      ['all of evenkeel, minified and gzipped', `${(bundleBytes.all / 1024).toFixed(1)} KiB`],
      ['the program of the README, minified and gzipped', `${(bundleBytes.program / 1024).toFixed(1)} KiB`],
    ],
  };
}

/** What was left out, and how the figures stand to the bars. */
export function sentencesOf(report: BenchReport): string[] {
  const left =
    report.hardwareOnly.length > 0
      ? [`hardware only, left out on this software adapter: ${report.hardwareOnly.join(', ')}`]
      : [];
  const refused = report.refused.map((sentence) => `refused: ${sentence}`);
  return [...left, ...refused, ...BARS.map((bar) => verdict(bar, report)).filter((v) => v !== null)];
}

/** The report as text, or as Markdown. */
export function formatReport(report: BenchReport, markdown: boolean): string {
  const tables = tablesOf(report).filter(({ rows }) => rows.length > 0);
  const parts = tables.map(
    ({ title, head, rows }) => `${title}\n\n${markdown ? formatMarkdown(head, rows) : formatTable(head, rows)}`,
  );
  const sentences = sentencesOf(report).map((s) => (markdown ? `- ${s}` : s));
  return [...parts, sentences.join('\n')].join('\n\n');
}

/** A Markdown table; all columns but the first are aligned to the right. */
export function formatMarkdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? '---|' : '---:|')).join('')}`, ...rows.map(line)].join('\n');
}

function shown({ median, low, high }: Spread): string {
  return `${short(median)} (${short(low)} .. ${short(high)})`;
}

/** Three digits, without an exponent. */
export function short(x: number): string {
  return x >= 100 ? x.toFixed(0) : x.toPrecision(3);
}

/** Name and main version of a browser, from the text by which it names itself. */
export function shortName(browser: string): string {
  const names = { Edg: 'Edge', Firefox: 'Firefox', Chrome: 'Chrome', Version: 'Safari' };
  for (const [word, name] of Object.entries(names)) {
    const version = new RegExp(`${word}/(\\d+)`).exec(browser)?.[1];
    if (version) return `${name} ${version}`;
  }
  return browser;
}
