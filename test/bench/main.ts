import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NoWebGPUError } from 'evenkeel';
import { helpText, parseFlags } from '../../src/cli/args.ts';
import { Interrupted, UsageError } from '../../src/cli/usage-error.ts';
import { writeOne } from '../../src/cli/files.ts';
import { runInChrome } from '../../src/cli/host-chrome.ts';
import type { JobEvent } from '../../src/cli/job.ts';
import { benchmark, type BenchOptions, type BenchResult } from './bench-job.ts';
import { bundleSizes, pageScript } from './bundles.ts';
import { FLAGS } from './flags.ts';
import { installPeers } from './install.ts';
import { fleetPage } from './fleet/build.ts';
import { figuresText, parseFigures, withFigures } from './fleet/report.ts';
import { formatReport, type BenchReport } from './report.ts';
import { pairedRatio, rotated, spread } from './statistics.ts';
import { COLD_START, NAMES, WORKLOADS } from './workloads.ts';

const COLD_PAGES = { evenkeel: 'page-cold-evenkeel', 'jax-js': 'page-cold-jax', tfjs: 'page-cold-tfjs' };
/** Each round of the cold start opens three browsers. */
const MOST_COLD_ROUNDS = 5;

/** Runs the benchmark; returns the exit code: 1 when a workload was refused. */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = parseFlags(FLAGS, args);
  if (values.help || values.list) {
    console.log(
      values.help
        ? helpText(
            'npm run bench -- [flags]',
            'Times evenkeel against jax-js and tfjs on one adapter, interleaved.',
            FLAGS,
          )
        : listed(),
    );
    return 0;
  }
  if (values.fleet !== null) {
    installPeers(join(process.cwd(), 'test/bench'));
    await writeOne(resolve(values.fleet), await fleetPage());
    console.log(`${values.fleet}: open it in a browser with WebGPU, or put it on a server`);
    return 0;
  }
  if (values.merge !== null) return merge(values.merge.split(','), values.into);
  if (values.into !== null) throw new UsageError('--into goes with --merge');
  const adapter = values.adapter === 'any' ? null : values.adapter;
  const options: BenchOptions = { names: values.only, rounds: values.rounds, seconds: values.seconds, adapter };
  const result = values.host === 'node' ? await onNode(options, signal) : await inPages(options, signal);
  const report: BenchReport = {
    host: values.host,
    date: new Date().toISOString(),
    ...result,
    bundleBytes: await bundleSizes(),
  };
  console.log(formatReport(report, values.markdown));
  if (values.json !== null) await writeOne(resolve(values.json), `${JSON.stringify(report, null, 1)}\n`);
  if (result.hardwareOnly.length === values.only.length)
    throw new UsageError(
      `nothing was run: ${result.hardwareOnly.join(', ')}: hardware only, a software adapter would take minutes`,
    );
  return result.refused.length > 0 ? 1 : 0;
}

/** Prints the table of reports, or puts it into a page. */
async function merge(files: readonly string[], into: string | null): Promise<number> {
  const read = (file: string): string => {
    try {
      return readFileSync(resolve(file), 'utf8');
    } catch (error) {
      throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
    }
  };
  const figures = files.map((file) => parseFigures(read(file), file));
  if (into === null) console.log(figuresText(figures));
  else await writeOne(resolve(into), withFigures(read(into), figures));
  return 0;
}

function listed(): string {
  const width = Math.max(...NAMES.map((name) => name.length));
  const rows = WORKLOADS.map(
    ({ name, title, hardwareOnly }) => `${name.padEnd(width)}  ${title}${hardwareOnly ? ' (hardware only)' : ''}`,
  );
  return [...rows, `${COLD_START.padEnd(width)}  page load to the end of the first MLP step (Chrome only)`].join('\n');
}

type Measured = BenchResult & Pick<BenchReport, 'coldStart' | 'browser'>;

/** evenkeel alone, in this process. */
async function onNode(options: BenchOptions, signal: AbortSignal): Promise<Measured> {
  console.error('on Node: evenkeel alone, through Dawn; the peers and the cold start need a page');
  if (options.names.every((name) => name === COLD_START))
    throw new UsageError(`--only is '${COLD_START}', which needs a page: give --host chrome`);
  const line = (text: string): void => {
    signal.throwIfAborted();
    console.error(text);
  };
  const stopped = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error)),
  );
  const job = benchmark(options, { openPeers: () => Promise.resolve([]), line, deviceErrors: () => [] });
  const result = await Promise.race([job, stopped]).catch((error: unknown) => {
    throw error instanceof NoWebGPUError ? new UsageError(`--host node: ${error.message}`) : error;
  });
  return { ...result, coldStart: null, browser: `Node ${process.versions.node}` };
}

/** All engines in one page of headless Chrome; the cold start in pages of its own. */
async function inPages(options: BenchOptions, signal: AbortSignal): Promise<Measured> {
  installPeers(join(process.cwd(), 'test/bench'));
  const emit = (event: JobEvent): void => {
    if (event.type === 'line') console.error(event.text);
  };
  const run = async <T>(page: string, options: unknown, query = ''): Promise<T> =>
    (await runInChrome({ job: page, options }, [], { signal, emit }, await pageScript(page), query)).value as T;
  const result = await run<BenchResult & { browser: string }>('page-bench', options);
  if (!options.names.includes(COLD_START)) return { ...result, coldStart: null };
  console.error('cold start');
  const rounds = Math.min(options.rounds, MOST_COLD_ROUNDS);
  const samples: Record<string, number[]> = { evenkeel: [], 'jax-js': [], tfjs: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [name, page] of rotated(Object.entries(COLD_PAGES), round))
      samples[name]!.push(await run<number>(page, null, `?adapter=${result.adapter.kind}`));
  }
  const times = Object.fromEntries(Object.entries(samples).map(([name, ms]) => [name, spread(ms)]));
  const ratios = Object.fromEntries(
    Object.entries(samples)
      .slice(1)
      .map(([name, ms]) => [name, pairedRatio(samples.evenkeel!, ms)]),
  );
  return { ...result, coldStart: { rounds, times, ratios } };
}

const controller = new AbortController();
// Once: a second Ctrl-C ends the process at once.
process.once('SIGINT', () => controller.abort(new Interrupted('interrupted; nothing was written')));
const code = await main(process.argv.slice(2), controller.signal).catch((error: unknown) => {
  const { name = 'Error', message = String(error), stack } = error as Partial<Error>;
  if (error instanceof UsageError || error instanceof Interrupted) {
    console.error(message);
    return error instanceof UsageError ? 2 : 130;
  }
  console.error(process.env.EVENKEEL_DEBUG ? (stack ?? message) : `${name}: ${message}`);
  return 1;
});
// Dawn in Node keeps the event loop alive for ever; what was printed must go out before the end.
process.stdout.write('', () => process.exit(code));
