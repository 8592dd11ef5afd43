import { beforeEach, expect, test } from 'vitest';
import { backward, empty, requireGrad, scope, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { asTuned } from '../support/tuning.ts';
import { gpu } from '../support/gpu.ts';

/** One launch: its kernel and the invocations that it starts. */
interface Traced {
  name: string;
  lanes: number;
}

/** What `run` launches on a GPU, none of which is carried out: no memory, no time. */
async function traced(run: () => void): Promise<Traced[]> {
  const found: Traced[] = [];
  await asTuned('hardware', async () => {
    const { recording } = gpu.recorder.record('trace', () => scope(run));
    for (const c of recording.commands) {
      if (c.kind !== 'dispatch') continue;
      const compiled = [...gpu.pipelines.values()].find(({ pipeline }) => pipeline === c.pipeline)!;
      const workgroup = compiled.workgroup.reduce((a, b) => a * b, 1);
      found.push({ name: c.pipeline.label, lanes: c.groups[0] * c.groups[1] * c.groups[2] * workgroup });
    }
    recording.release();
  });
  return found;
}

const most = (launches: readonly Traced[]): number => Math.max(...launches.map(({ lanes }) => lanes));
const all = (launches: readonly Traced[]): number => launches.reduce((total, { lanes }) => total + lanes, 0);
const variable = (...shape: number[]): Tensor => requireGrad(empty(shape));

/** Invocations that keep a GPU of some eighty compute units busy. */
const BUSY = 16_384;

beforeEach(() => gpu.pipelines.clear());

test.each<[string, (x: Tensor) => unknown]>([
  ['sum', (x) => ops.sum(x)],
  ['mean', (x) => ops.mean(x)],
  ['max', (x) => ops.max(x)],
  ['prod', (x) => ops.prod(x)],
  ['variance', (x) => ops.variance(x)],
  ['norm', (x) => ops.norm(x)],
  ['logsumexp', (x) => ops.logsumexp(x)],
  ['argmax', (x) => ops.argmax(x, { axis: null })],
  ['cumsum', (x) => ops.cumsum(x)],
])('%s of a million numbers', async (_, run) => {
  expect(most(await traced(() => void run(empty([1 << 20]))))).toBeGreaterThanOrEqual(BUSY);
});

test.each([
  [1024, 1000],
  [16, 32_000],
])('softmax, cross-entropy and layer norm of %i x %i, both ways', async (rows, classes) => {
  const softmax = await traced(() => backward(ops.sum(ops.softmax(variable(rows, classes)))));
  const loss = await traced(() => backward(ops.crossEntropy(variable(rows, classes), empty([rows], { dtype: 'i32' }))));
  for (const name of ['softmax.forward', 'softmax.backward'])
    expect(most(softmax.filter((l) => l.name.startsWith(name))), name).toBeGreaterThanOrEqual(BUSY);
  for (const name of [rows < 1024 ? 'cross-entropy.sums' : 'cross-entropy.forward', 'cross-entropy.backward'])
    expect(most(loss.filter((l) => l.name.startsWith(name))), name).toBeGreaterThanOrEqual(BUSY);
  const norm = await traced(() => backward(ops.sum(ops.layerNorm(variable(rows, classes)))));
  for (const name of ['standardize.statistics', 'standardize.sums'])
    expect(most(norm.filter((l) => l.name.startsWith(name))), name).toBeGreaterThanOrEqual(BUSY);
});

test('the reduction of a loss is no work for one invocation', async () => {
  const launches = await traced(() => void ops.crossEntropy(empty([4096, 10]), empty([4096], { dtype: 'i32' })));
  for (const { name, lanes } of launches) expect(lanes, name).toBeGreaterThanOrEqual(64);
});

test('the gradient of an embedding costs what is looked up, not what the table holds', async () => {
  const [rows, width, count] = [50_000, 128, 4096];
  const launches = await traced(() =>
    backward(ops.sum(ops.embedding(variable(rows, width), empty([count], { dtype: 'i32' })))),
  );
  // A few passes over the values that are scattered, and a few over the rows of the table.
  expect(all(launches)).toBeLessThan(8 * count * width + 8 * rows);
});

test('the gradient of an l_inf distance', async () => {
  const launches = await traced(() =>
    backward(ops.sum(ops.lpDistance(variable(512, 512), variable(512, 512), null, { p: Infinity }))),
  );
  for (const { name, lanes } of launches.filter((l) => l.name.startsWith('lp-distance.')))
    expect(lanes, name).toBeGreaterThanOrEqual(4096);
});

test('a layer of an MLP, 128 x 784 x 256', async () => {
  const launches = await traced(() => void ops.linear(empty([128, 784]), empty([256, 784]), null));
  expect(most(launches)).toBeGreaterThanOrEqual(8192);
});
