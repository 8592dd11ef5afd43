import { experiments } from '../../examples/reproduce/index.ts';
import type { Experiment, Flag as ExperimentFlag, Run } from '../../examples/reproduce/lib/experiment.ts';
import { helpText, parseFlags } from './args.ts';
import { loadData } from './data.ts';
import { UsageError } from './usage-error.ts';
import { writeOne } from './files.ts';
import { choice, integer, list, text, toggle, type Flag, type FlagTable, type Values } from './flags.ts';
import { HOSTS, runOnHost } from './host.ts';
import { formatDuration, Progress } from './progress.ts';
import { formatTable } from './table.ts';

const COMMON = {
  host: choice('where WebGPU runs: headless Chrome or Dawn in Node', HOSTS, 'chrome'),
  json: text('the runs and the result as JSON', 'FILE', null),
  list: toggle('list all experiments'),
  help: toggle('this text'),
};

/** Runs an experiment and says whether its claim holds. Returns the exit code: 1 when it does not. */
export async function reproduce(args: readonly string[], signal: AbortSignal): Promise<number> {
  const chosen = experiments.find(({ id }) => args.includes(id));
  const flags: FlagTable = { ...flagsOf(chosen), ...COMMON };
  const { values: all, words } = parseFlags(flags, args, ['EXPERIMENT']);
  const values = all as Values<FlagTable> & Values<typeof COMMON>;
  if (values.list) {
    console.log(formatList());
    return 0;
  }
  if (values.help) {
    console.log(
      helpText(
        `npm run reproduce -- ${chosen?.id ?? 'EXPERIMENT'} [flags]`,
        chosen ? chosen.claim : `Tests a published claim.\n\n${formatList()}`,
        flags,
      ),
    );
    return 0;
  }
  const known = experiments.map(({ id }) => id).join(', ');
  if (!words[0]) throw new UsageError(`no experiment named: expected one of ${known}`);
  if (!chosen || words[0] !== chosen.id)
    throw new UsageError(`unknown experiment '${words[0]}': expected one of ${known}`);
  return run(chosen, values, signal);
}

async function run(
  chosen: Experiment,
  values: Values<FlagTable> & Values<typeof COMMON>,
  signal: AbortSignal,
): Promise<number> {
  const { id, title, claim } = chosen;
  const sources = sourcesOf(chosen, values);
  const protocol = chosen.protocol(values);
  console.log(`${title}\n\nClaim: ${claim}\nProtocol: ${protocol}\n`);
  const start = performance.now();
  const progress = new Progress();
  const datasets = [];
  for (const source of sources) datasets.push(await loadData(source, (line) => progress.line(line)));
  let adapter: unknown;
  const { value } = await runOnHost(values.host, { job: id, options: chosen.options(values) }, datasets, {
    signal,
    emit(event) {
      if (event.type === 'adapter') adapter = event.adapter;
      progress.handle(event);
    },
  }).finally(() => progress.end(false));
  const runs = value as Run[];
  const { result, holds, table } = chosen.judge(runs);
  if (values.json !== null)
    await writeOne(values.json, `${JSON.stringify({ id, claim, protocol, runs, result, holds, adapter }, null, 2)}\n`);
  console.log(`\n${formatTable(table.head, table.rows)}\n`);
  console.log(
    `${holds ? 'The claim holds.' : 'The claim does not hold.'} ` +
      `${formatDuration((performance.now() - start) / 1000)} in all.`,
  );
  return holds ? 0 : 1;
}

/** The flags of an experiment with what reads them. */
function flagsOf(chosen: Experiment | undefined): FlagTable {
  const entries = Object.entries((chosen?.flags ?? {}) as Record<string, ExperimentFlag<unknown>>);
  return Object.fromEntries(entries.map(([name, flag]) => [name, parsed(flag)]));
}

function parsed({
  kind,
  describe,
  fallback,
  range,
  words = [],
  value = 'TEXT',
}: ExperimentFlag<unknown>): Flag<unknown> {
  if (kind === 'integer') return integer(describe, fallback as number | null, range);
  if (kind === 'toggle') return toggle(describe);
  if (kind === 'choice') return choice(describe, words, fallback as string);
  if (kind === 'list') return list(describe, words, fallback as readonly string[]);
  return text(describe, value, fallback as string | null);
}

/** What an experiment refuses here are flags that do not fit together. */
function sourcesOf(chosen: Experiment, values: Values<FlagTable>): string[] {
  try {
    return chosen.datasets(values);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function formatList(): string {
  const width = Math.max(...experiments.map(({ id }) => id.length));
  return experiments.map(({ id, title }) => `${id.padEnd(width)}  ${title}`).join('\n');
}
