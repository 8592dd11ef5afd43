import { join } from 'node:path';
import { METHOD_TITLES, METHODS, tuningOf } from '../../examples/reproduce/ldam-drw.ts';
import { helpText, parseFlags } from './args.ts';
import { checkSource, loadData } from './data.ts';
import type { DemoOptions, DemoResult } from './demo-job.ts';
import { DEFAULT_SETTINGS, QUICK_SETTINGS, type DemoSettings } from './demo-settings.ts';
import { writeAll, writeOne } from './files.ts';
import { choice, integer, list, number, text, toggle, type Values } from './flags.ts';
import { HOSTS, runOnHost } from './host.ts';
import type { Adapter } from './job.ts';
import { formatDuration, Progress } from './progress.ts';
import { renderReport } from './report.ts';
import type { Summary } from './summary.ts';
import { formatTable, percent } from './table.ts';

const FLAGS = {
  quick: toggle('a small network and few noise draws: under a minute on a software adapter'),
  data: text('data set: mnist, fashion-mnist, or idx:DIR with the four files of MNIST', 'NAME', 'mnist', checkSource),
  'imb-factor': number('images of the rarest class / images of the most frequent one', 0.01, { above: 0, max: 1 }),
  loss: list('training methods to compare', METHODS, METHODS),
  epochs: integer('passes over the training set', null, { min: 1, max: 10_000 }),
  seed: integer('seed of the data, the weights and the noise', 0, { max: 2 ** 31 - 1 }),
  host: choice('where WebGPU runs: headless Chrome or Dawn in Node', HOSTS, 'chrome'),
  out: text('folder for the results', 'DIR', join('runs', 'demo')),
  json: text('a copy of summary.json', 'FILE', null),
  help: toggle('this text'),
};

type Flags = Values<typeof FLAGS>;

/** The main job: train, calibrate, certify, print a table, write a report. Returns the exit code. */
export async function demo(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = parseFlags(FLAGS, args);
  if (values.help) {
    console.log(
      helpText(
        'npm run demo -- [flags]',
        'Trains CE and LDAM-DRW on a long-tailed data set, calibrates and certifies them, and writes a report.',
        FLAGS,
      ),
    );
    return 0;
  }
  const start = performance.now();
  const settings = settingsOf(values);
  const progress = new Progress();
  const data = await loadData(values.data, (line) => progress.line(line));
  const options: DemoOptions = { methods: values.loss, imbFactor: values['imb-factor'], seed: values.seed, settings };
  let adapter: Adapter | undefined;
  const outcome = await runOnHost(values.host, { job: 'demo', options }, [data], {
    signal,
    emit(event) {
      if (event.type === 'adapter') adapter = event.adapter;
      progress.handle(event);
    },
  }).catch((error: unknown) => {
    progress.end(false);
    throw error;
  });
  progress.end();

  const result = outcome.value as DemoResult;
  const summary: Summary = {
    adapter: adapter!,
    dataset: data.name,
    seed: values.seed,
    methods: result.methods,
    imbFactor: values['imb-factor'],
    epochs: settings.recipe.epochs,
    quick: values.quick,
    host: values.host,
    widths: settings.recipe.widths,
    classCounts: result.classCounts,
    sizes: result.sizes,
    seconds: (performance.now() - start) / 1000,
    command: commandOf(values),
  };
  const json = `${JSON.stringify(summary, null, 2)}\n`;
  await writeAll(
    values.out,
    new Map<string, string | Uint8Array>([
      ...outcome.files,
      ['summary.json', json],
      ['report.html', renderReport(summary, settings)],
    ]),
  );
  if (values.json !== null) await writeOne(values.json, json);
  print(summary, values.out);
  return 0;
}

function settingsOf({ quick, epochs, data }: Flags): DemoSettings {
  const settings = quick ? QUICK_SETTINGS : DEFAULT_SETTINGS;
  return {
    ...settings,
    recipe: { ...settings.recipe, tuning: tuningOf(data), epochs: epochs ?? settings.recipe.epochs },
  };
}

function commandOf(values: Flags): string {
  const named = (['data', 'imb-factor', 'loss', 'epochs', 'seed', 'host'] as const).filter(
    (name) => values[name] !== null,
  );
  return [
    'npm run demo --',
    ...(values.quick ? ['--quick'] : []),
    ...named.map((name) => `--${name} ${String(values[name])}`),
  ].join(' ');
}

function print({ methods, adapter, seconds }: Summary, out: string): void {
  const head = [
    '%',
    'balanced',
    'accuracy',
    'many',
    'medium',
    'few',
    'ECE',
    'ECE scaled',
    'T',
    'ACR',
    'cert. at 0.25',
    'train',
  ];
  const rows = methods.map((m) => [
    METHOD_TITLES[m.name],
    percent(m.balancedAccuracy),
    percent(m.accuracy),
    percent(m.many),
    percent(m.medium),
    percent(m.few),
    percent(m.ece),
    percent(m.eceScaled),
    m.temperature.toFixed(3),
    m.certified.acr.toFixed(3),
    percent(m.certified.accuracyAtRadius.find(([r]) => r === 0.25)?.[1] ?? null, 0),
    formatDuration(m.seconds),
  ]);
  console.log(`\n${formatTable(head, rows)}\n`);
  console.log(`${formatDuration(seconds)} on ${adapter.name} (${adapter.kind}); report: ${join(out, 'report.html')}`);
}
