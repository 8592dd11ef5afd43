import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSafetensors } from 'evenkeel/io';
import { build, type Plugin } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wgsl } from '../../src/build/wgsl-plugin.ts';
import type { MethodSummary, Summary } from '../../src/cli/summary.ts';
import { glyphs } from '../support/glyphs.ts';

// The whole command, as a process: in the cache folder, from where the packages it leaves outside resolve.
const source = (path: string): string => new URL(`../../src/${path}`, import.meta.url).pathname;
const cache = new URL('../../node_modules/.cache/evenkeel/', import.meta.url).pathname;
const self = (index: string): Plugin => ({
  name: 'self',
  setup: (b) =>
    void b.onResolve({ filter: /^evenkeel(\/|$)/ }, ({ path }) => ({
      path: path === 'evenkeel' ? source(index) : source(`${path.slice(9)}/index.ts`),
    })),
});
let folder = '';
let data = '';

beforeAll(async () => {
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'cli-test-'));
  const shaders = wgsl({ runtime: source('gpu/kernel.ts'), declarations: false });
  const common = { bundle: true, format: 'esm' as const, target: 'es2022', outdir: folder };
  await build({
    ...common,
    entryPoints: [source('cli/main.ts')],
    platform: 'node',
    packages: 'external',
    plugins: [self('index.node.ts'), shaders],
  });
  await build({
    ...common,
    entryPoints: [source('cli/page.ts')],
    platform: 'browser',
    plugins: [self('index.ts'), shaders],
  });
  data = join(folder, 'data');
  mkdirSync(data);
  for (const [stem, { images, labels }] of [
    ['train', glyphs(2000, 1)],
    ['t10k', glyphs(60, 2)],
  ] as const) {
    writeFileSync(join(data, `${stem}-images-idx3-ubyte`), images);
    writeFileSync(join(data, `${stem}-labels-idx1-ubyte`), labels);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(...args: string[]): {
  child: ReturnType<typeof spawn>;
  ended: Promise<{ code: number | null; out: string; err: string }>;
} {
  const child = spawn(process.execPath, [join(folder, 'main.js'), ...args], { cwd: folder });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  return { child, ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err }))) };
}

const call = (...args: string[]) => start(...args).ended;
const quick = (out: string, ...args: string[]): string[] => [
  'demo',
  '--quick',
  '--epochs',
  '2',
  '--imb-factor',
  '0.1',
  '--data',
  `idx:${data}`,
  '--out',
  join(folder, out),
  ...args,
];

test.each([
  [['launch'], /^unknown verb 'launch': expected one of demo, reproduce\n$/],
  [['demo', '--bogus'], /^unknown flag --bogus: expected one of .*\n$/],
  [['demo', '--epochs', 'many'], /^--epochs is 'many', expected an integer.*\n$/],
  [['demo', '--data', 'idx:/no/such/folder'], /^--data: there is no folder \/no\/such\/folder\n$/],
  [['reproduce'], /^no experiment named: expected one of ldam-drw(, [a-z0-9-]+)*\n$/],
  [['reproduce', 'alchemy'], /^unknown experiment 'alchemy': expected one of ldam-drw(, [a-z0-9-]+)*\n$/],
  [['reproduce', 'vs-lt', '--full'], /^--full needs --data DIR, the folder of the binary version of CIFAR-10\n$/],
  [['reproduce', 'ldam-drw', '--seeds', '0'], /^--seeds is '0', expected an integer.*\n$/],
])('%j is refused with one sentence and code 2', async (args, sentence) => {
  const { code, err } = await call(...args);
  expect(err).toMatch(sentence);
  expect(code).toBe(2);
});

test('help and lists go to standard output with code 0', async () => {
  for (const [args, text] of [
    [['--help'], /demo/],
    [['demo', '--help'], /--imb-factor X/],
    [['reproduce', '--list'], /^ldam-drw /],
    [['reproduce', 'ldam-drw', '--help'], /--seeds N/],
  ] as const) {
    const { code, out } = await call(...args);
    expect(code).toBe(0);
    expect(out).toMatch(text);
  }
});

test('the demo runs in Chrome and writes its results', async () => {
  const { code, out, err } = await call(...quick('chrome', '--json', join(folder, 'copy.json')));
  expect(err).toMatch(/^adapter: /);
  expect(code).toBe(0);
  expect(out).toMatch(/LDAM-DRW/);
  expect(readdirSync(join(folder, 'chrome')).sort()).toEqual([
    'ce.safetensors',
    'ldam-drw.safetensors',
    'report.html',
    'summary.json',
  ]);
  expectSummary(JSON.parse(readFileSync(join(folder, 'copy.json'), 'utf8')) as Summary, 'chrome');
  const { tensors } = decodeSafetensors(readFileSync(join(folder, 'chrome/ce.safetensors')));
  expect([...tensors.keys()].sort()).toEqual(['1.bias', '1.weight', '3.bias', '3.weight', '5.bias', '5.weight']);
});

test('the demo runs in Node', async () => {
  const { code, err } = await call(...quick('node', '--host', 'node', '--loss', 'ldam-drw'));
  expect(err).toMatch(/LDAM-DRW certify: done/);
  expect(code).toBe(0);
  const summary = JSON.parse(readFileSync(join(folder, 'node/summary.json'), 'utf8')) as Summary;
  expect(summary.methods.map(({ name }) => name)).toEqual(['ldam-drw']);
});

test('reproduce --full reads the files of CIFAR-10, trains the published net, and writes every run', async () => {
  const cifar = join(folder, 'cifar');
  mkdirSync(cifar);
  const records = (n: number): Uint8Array =>
    Uint8Array.from({ length: n * 3073 }, (_, i) =>
      i % 3073 === 0 ? Math.floor(i / 3073) % 10 : (i * 37 + (Math.floor(i / 3073) % 10) * 20) % 256,
    );
  for (let i = 1; i <= 5; i++) writeFileSync(join(cifar, `data_batch_${i}.bin`), records(10));
  writeFileSync(join(cifar, 'test_batch.bin'), records(10));
  const json = join(folder, 'full.json');
  const { code, out } = await call(
    'reproduce',
    'vs-lt',
    '--full',
    '--data',
    cifar,
    '--methods',
    'ce,vs',
    '--seeds',
    '1',
    '--epochs',
    '2',
    '--json',
    json,
  );
  expect(out).toMatch(/CIFAR-10, ResNet-32, random crops and flips.*VS: gamma 0\.2, tau 1\.2.*best test epoch/s);
  // Without CDT and LA the claim cannot hold.
  expect(code).toBe(1);
  const { id, runs, holds } = JSON.parse(readFileSync(json, 'utf8')) as {
    id: string;
    runs: Record<string, number | string>[];
    holds: boolean;
  };
  expect([id, holds]).toEqual(['vs-lt', false]);
  expect(runs).toMatchObject([
    { dataset: 'cifar10', seed: 0, method: 'ce' },
    { dataset: 'cifar10', seed: 0, method: 'vs' },
  ]);
  for (const run of runs)
    for (const share of [run.balancedAccuracy, run.bestBalancedAccuracy, run.ece])
      expect(share).toSatisfy((v: number) => v >= 0 && v <= 1);
}, 300_000);

test('Ctrl-C stops the run with code 130 and writes nothing', async () => {
  const { child, ended } = start(...quick('stopped', '--epochs', '5000'));
  child.stderr!.on('data', (text: Buffer) => {
    if (text.includes('adapter')) setTimeout(() => child.kill('SIGINT'), 500);
  });
  const { code, err } = await ended;
  expect(err).toContain('interrupted; nothing was written');
  expect(code).toBe(130);
  expect(existsSync(join(folder, 'stopped'))).toBe(false);
});

function expectSummary(summary: Summary, host: string): void {
  expect(summary).toMatchObject({
    adapter: { name: expect.any(String), kind: expect.stringMatching(/^(hardware|software)$/) },
    dataset: 'idx',
    seed: 0,
    host,
  });
  expect(summary.methods.map(({ name }) => name)).toEqual(['ce', 'ldam-drw']);
  const fraction = (m: MethodSummary): number[] => [
    m.accuracy,
    m.balancedAccuracy,
    ...m.perClass,
    m.many!,
    m.medium!,
    m.few!,
    m.ece,
    m.eceScaled,
  ];
  for (const m of summary.methods) {
    expect(m.perClass).toHaveLength(10);
    for (const value of fraction(m)) expect(value).toBeGreaterThanOrEqual(0);
    for (const value of fraction(m)) expect(value).toBeLessThanOrEqual(1);
    for (const value of [m.temperature, m.seconds, m.stepsPerSecond]) expect(value).toBeGreaterThan(0);
    expect(m.certified).toMatchObject({ sigma: 0.25, n: 200, alpha: 0.001, acr: expect.any(Number) });
    expect(m.certified.points).toHaveLength(60);
    const curve = m.certified.accuracyAtRadius.map(([, accuracy]) => accuracy);
    expect(curve).toEqual([...curve].sort((a, b) => b - a));
  }
}
