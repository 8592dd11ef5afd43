import type { TuningFile } from 'evenkeel';
import { UsageError } from '../../../src/cli/usage-error.ts';
import type { BenchResult } from '../bench-job.ts';
import { leastTime } from '../roofline.ts';
import { formatMarkdown, sentencesOf, short, shortName, type BenchReport } from '../report.ts';
import { COLD_START } from '../workloads.ts';
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

/** What a file may hold: the JSON of a fleet page, or of `npm run bench -- --json`. */
export type Figures = FleetReport | BenchReport;

/** The figures in a text. Throws a UsageError that names the file where it holds none. */
export function parseFigures(text: string, file: string): Figures {
  let figures: Partial<FleetReport & BenchReport> | null;
  try {
    figures = JSON.parse(text) as typeof figures;
  } catch (error) {
    throw new UsageError(`${file} is no JSON: ${(error as Error).message}`);
  }
  if (figures?.bundleBytes && figures.workloads && figures.date && figures.browser) return figures as BenchReport;
  if (typeof figures?.evenkeelFleet !== 'number' || !figures.bench?.workloads || !figures.checks || !figures.adapter)
    throw new UsageError(
      `${file} is no report: expected the JSON of a fleet page (evenkeelFleet, adapter, checks and bench) or of --json`,
    );
  if (figures.evenkeelFleet !== FLEET_VERSION)
    throw new UsageError(
      `${file} is of version ${figures.evenkeelFleet}, expected ${FLEET_VERSION}: open the page anew`,
    );
  return figures as FleetReport;
}

const isFleet = (figures: Figures): figures is FleetReport => 'evenkeelFleet' in figures;
const benchOf = (figures: Figures): BenchResult => (isFleet(figures) ? figures.bench : figures);

/** What an adapter is called in a table. */
export function nameOf(figures: Figures): string {
  if (!isFleet(figures)) return figures.adapter.name;
  const { vendor, architecture, device, description } = figures.adapter;
  return description || [vendor, architecture, device].filter(Boolean).join(' ') || figures.bench.adapter.name;
}

/** Median ms of evenkeel, its share of what the measured peaks allow, its time over that of others. */
function cellOf(figures: Figures, name: string): string {
  const { workloads, peaks } = benchOf(figures);
  const coldStart = isFleet(figures) ? null : figures.coldStart;
  const found = workloads.find((w) => w.name === name);
  const work = found ?? (name === COLD_START ? coldStart : null);
  const time = work?.times.evenkeel?.median;
  if (!work || time === undefined) return '';
  const least = found ? leastTime(peaks, found) : null;
  const ratioTo = (other: string): string | undefined => work.ratios[other]?.median.toPrecision(3);
  const peers = [ratioTo('jax-js'), ratioTo('tfjs')];
  const others = Object.keys(work.ratios).filter((other) => other !== 'jax-js' && other !== 'tfjs');
  return [
    `${short(time)} ms`,
    ...(least === null ? [] : [`${((100 * least) / time).toFixed(0)} %`]),
    ...(peers.some(Boolean) ? [peers.map((r) => r ?? '-').join(' / ')] : []),
    ...others.map((other) => `${ratioTo(other)} x ${other}`),
  ].join(', ');
}

/**
 * One Markdown table of all figures: a line a work, a column an adapter. A cell: ms of evenkeel, its share of what the
 * adapter's measured peaks allow, its time over that of jax-js and of tfjs.
 */
export function figuresTable(all: readonly Figures[]): string {
  const titles = new Map<string, string>();
  for (const figures of all) for (const { name, title } of benchOf(figures).workloads) titles.set(name, title);
  titles.set(COLD_START, 'cold start: page load to the end of the first MLP step');
  const about: [string, (figures: Figures) => string][] = [
    ['browser', ({ browser }) => shortName(browser)],
    ['day', ({ date }) => date.slice(0, 10)],
    ['checks of the ops', (f) => (isFleet(f) ? `${f.checks.passed} passed, ${f.checks.failed.length} failed` : '')],
    ['kernels chosen by measurement', (f) => String(Object.keys(f.tuned.choices).length)],
    [
      'peak multiply-adds, loads',
      (f) => {
        const { multiplyAdds, loads } = benchOf(f).peaks;
        return `${multiplyAdds.toPrecision(3)} G/s, ${loads.toPrecision(3)} GB/s`;
      },
    ],
  ];
  const rows = [
    ...about.map(([name, of]) => [name, ...all.map(of)]),
    ...[...titles].map(([name, title]) => [title, ...all.map((f) => cellOf(f, name))]),
  ];
  return formatMarkdown(
    ['work', ...all.map(nameOf)],
    rows.filter(([, ...cells]) => cells.some((cell) => cell !== '')),
  );
}

/** The table, and how the figures of each `--json` file stand to the project's bars. */
export function figuresText(all: readonly Figures[]): string {
  const verdicts = all.flatMap((f) =>
    isFleet(f)
      ? []
      : [
          sentencesOf(f)
            .map((s) => `- ${s}`)
            .join('\n'),
        ],
  );
  return [figuresTable(all), ...verdicts].join('\n\n');
}

/**
 * The page with the text in its place: between the lines `<!-- figures: hardware -->` and `<!-- figures end -->`, or
 * `software` where a file is of a software adapter. Throws a UsageError where the page has no such place.
 */
export function withFigures(page: string, all: readonly Figures[]): string {
  const kind = all.some((f) => benchOf(f).adapter.kind === 'software') ? 'software' : 'hardware';
  const [begin, end] = [`<!-- figures: ${kind} -->`, '<!-- figures end -->'];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new UsageError(`the page has no place for the table: expected ${begin} and ${end}`);
  return `${page.slice(0, from + begin.length)}\n\n${figuresText(all)}\n\n${page.slice(to)}`;
}
