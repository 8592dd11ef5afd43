import { files } from 'fleet:tests';
import { benchmark } from '../bench-job.ts';
import { openJax } from '../engines/jax.ts';
import { openTfjs } from '../engines/tfjs.ts';
import { watchDevices } from '../page-outcome.ts';
import { formatTable } from '../../../src/cli/table.ts';
import { peaksTable, timesTable } from '../report.ts';
import { NAMES, select } from '../workloads.ts';
import { check, type TestFiles } from './check.ts';
import { FLEET_VERSION, type FleetReport } from './report.ts';

const find = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const log = find<HTMLPreElement>('log');
const line = (text: string): void => {
  log.textContent += `${text}\n`;
  log.scrollTop = log.scrollHeight;
};

/** `?only=matmul,mlp&tests=ops/softmax&rounds=3&seconds=1`: a part of it all. */
const query = new URLSearchParams(location.search);
const chosen = (): string[] => {
  const only = query.get('only');
  const names = only === null ? [...NAMES] : select(only.split(','));
  if (!names) throw new Error(`only is '${only}', expected names of workloads: ${NAMES.join(', ')}`);
  return names;
};
const tests = (): TestFiles =>
  Object.fromEntries(Object.entries(files).filter(([path]) => path.includes(query.get('tests') ?? '')));

async function identify(): Promise<Pick<FleetReport, 'adapter' | 'features'>> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('this browser offers no WebGPU adapter: use Chrome, Edge, Safari 26 or Firefox 141');
  const { vendor, architecture, device, description } = adapter.info;
  return { adapter: { vendor, architecture, device, description }, features: [...adapter.features].sort() };
}

/** The hooks of the tests. The module registers them when it is read; later files want them too. */
let isRead = false;
async function setup(): Promise<void> {
  const { useGpu } = await import('../../support/gpu.ts');
  if (isRead) useGpu();
  isRead = true;
}

async function run(): Promise<FleetReport> {
  const about = await identify();
  line(`adapter: ${Object.values(about.adapter).filter(Boolean).join(', ') || 'without a name'}`);
  line('\nevery op against f64');
  const checks = await check(tests(), setup, line);
  line(`${checks.passed} passed, ${checks.failed.length} failed`);
  for (const { test, message } of checks.failed) line(`  ${test}: ${message}`);
  line('\ntimes, evenkeel beside jax-js and TensorFlow.js; kernels are chosen meanwhile');
  const deviceErrors = watchDevices();
  const bench = await benchmark(
    {
      names: chosen(),
      rounds: Number(query.get('rounds') ?? 7),
      seconds: Number(query.get('seconds') ?? 10),
      adapter: null,
    },
    { openPeers: async () => [await openJax(), await openTfjs()], line, deviceErrors },
  );
  for (const { title, head, rows } of [timesTable(bench), peaksTable(bench)])
    line(`\n${title}\n\n${formatTable(head, rows)}`);
  return {
    evenkeelFleet: FLEET_VERSION,
    date: new Date().toISOString(),
    browser: navigator.userAgent,
    ...about,
    checks,
    tuned: bench.tuned,
    bench,
  };
}

const [start, save] = [find<HTMLButtonElement>('start'), find<HTMLAnchorElement>('save')];
start.onclick = async () => {
  start.disabled = true;
  log.hidden = false;
  try {
    const report = await run();
    const text = JSON.stringify(report, null, 1);
    save.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    save.download = `evenkeel-fleet-${report.date.slice(0, 10)}.json`;
    save.hidden = false;
    line('\ndone: keep the file, and send it to the project');
  } catch (error) {
    line(`\n${(error as Error).name}: ${(error as Error).message}`);
    start.disabled = false;
  }
};
