import type { TuningFile } from 'evenkeel';
import { UsageError } from '../../../src/cli/usage-error.ts';
import type { BenchResult } from '../bench-job.ts';
import { leastTime } from '../roofline.ts';
import { formatMarkdown } from '../report.ts';
import type { Checks } from './check.ts';

/** Goes up when the meaning of a field changes. */
export const FLEET_VERSION = 1;

/** What one page found on one GPU. */
export interface FleetReport {
  readonly evenkeelFleet: number;
  /** When, as an ISO date. */
  readonly date: string;
  readonly browser: string;
  readonly adapter: { vendor: string; architecture: string; device: string; description: string };
  readonly features: readonly string[];
  readonly checks: Checks;
  readonly tuned: TuningFile;
  readonly bench: BenchResult;
}

/** The report in a text. Throws a UsageError that names the file where it is none. */
export function parseFleet(text: string, file: string): FleetReport {
  let report: Partial<FleetReport> | null;
  try {
    report = JSON.parse(text) as Partial<FleetReport> | null;
  } catch (error) {
    throw new UsageError(`${file} is no JSON: ${(error as Error).message}`);
  }
  if (typeof report?.evenkeelFleet !== 'number' || !report.bench?.workloads || !report.checks || !report.adapter)
    throw new UsageError(`${file} is no report of the fleet page: expected evenkeelFleet, adapter, checks and bench`);
  if (report.evenkeelFleet !== FLEET_VERSION)
    throw new UsageError(
      `${file} is of version ${report.evenkeelFleet}, expected ${FLEET_VERSION}: open the page anew`,
    );
  return report as FleetReport;
}

/** What an adapter is called in a table. */
export function nameOf({ adapter, bench }: FleetReport): string {
  const { vendor, architecture, device, description } = adapter;
  return description || [vendor, architecture, device].filter(Boolean).join(' ') || bench.adapter.name;
}

/**
 * One Markdown table of all reports: a line a work, a column an adapter. A cell: ms of evenkeel, its share of what the
 * adapter's measured peaks allow, its time over that of jax-js and of tfjs.
 */
export function fleetTable(reports: readonly FleetReport[]): string {
  const titles = new Map<string, string>();
  for (const { bench } of reports) for (const { name, title } of bench.workloads) titles.set(name, title);
  const cell = ({ bench }: FleetReport, name: string): string => {
    const work = bench.workloads.find((w) => w.name === name);
    const time = work?.times.evenkeel?.median;
    if (!work || time === undefined) return '';
    const least = leastTime(bench.peaks, work);
    const ratios = ['jax-js', 'tfjs'].map((peer) => work.ratios[peer]?.median.toPrecision(3) ?? '-');
    return [
      `${time.toPrecision(3)} ms`,
      least === null ? '' : `${((100 * least) / time).toFixed(0)} %`,
      ratios.every((r) => r === '-') ? '' : ratios.join(' / '),
    ]
      .filter(Boolean)
      .join(', ');
  };
  const head = ['work', ...reports.map(nameOf)];
  const about: [string, (r: FleetReport) => string][] = [
    ['browser', (r) => r.browser],
    ['day', (r) => r.date.slice(0, 10)],
    ['checks of the ops', ({ checks }) => `${checks.passed} passed, ${checks.failed.length} failed`],
    ['kernels chosen by measurement', ({ tuned }) => String(Object.keys(tuned.choices).length)],
    [
      'peak multiply-adds, loads',
      ({ bench: { peaks } }) => `${peaks.multiplyAdds.toPrecision(3)} G/s, ${peaks.loads.toPrecision(3)} GB/s`,
    ],
  ];
  return formatMarkdown(head, [
    ...about.map(([name, of]) => [name, ...reports.map(of)]),
    ...[...titles].map(([name, title]) => [title, ...reports.map((r) => cell(r, name))]),
  ]);
}

const [BEGIN, END] = ['<!-- fleet: begin -->', '<!-- fleet: end -->'];

/** The page with the table in its place. Throws a UsageError where the page has no place for it. */
export function withTable(page: string, table: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from)
    throw new UsageError(`the page has no place for the table: expected the lines ${BEGIN} and ${END}`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${table}\n\n${page.slice(to)}`;
}
