import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  capture,
  defineKernel,
  empty,
  init,
  tensor,
  type Gpu,
  type Kernel,
  type KernelModule,
  type Tensor,
} from 'evenkeel';
import { Trials } from '../../src/gpu/tuning/index.ts';
import { keepsMemory } from '../support/gpu.ts';

/** y = x + 1, by an entry with a loop that does nothing and by one without. */
const module: KernelModule = {
  name: 'increment',
  code: `
const SLOW = 0u; // variant
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
fn body(i: u32) {
  if (i >= arrayLength(&y)) { return; }
  var v = x[i];
  for (var k = 0u; k < SLOW; k++) { v = fma(v, 1.0, 0.0); }
  y[i] = v + 1.0;
}
@compute @workgroup_size(64) fn slow(@builtin(global_invocation_id) id: vec3u) { body(id.x); }
@compute @workgroup_size(64) fn fast(@builtin(global_invocation_id) id: vec3u) { body(id.x); }
`,
  params: null,
  entries: Object.fromEntries(
    ['slow', 'fast'].map((name) => [
      name,
      {
        workgroup: ['64'],
        bindings: [
          ['x', 0, 'read'],
          ['y', 1, 'read_write'],
        ] as const,
      },
    ]),
  ),
  variants: ['SLOW'],
};
const kernel = defineKernel(module) as Record<string, Kernel<object, 'x' | 'y', 'SLOW'>>;

let gpu: Gpu;
beforeEach(async () => {
  keepsMemory();
  gpu = await init();
});
afterEach(() => gpu.destroy());

/** The slow kernel by default, the fast one as its alternative. */
function increment(x: Tensor): Tensor {
  const y = empty(x.shape, { gpu: x.gpu });
  const other = {
    key: `increment ${x.size}`,
    name: 'slow',
    others: [{ name: 'fast', entry: 'fast', variant: {}, grid: [x.size] }],
  };
  kernel.slow!({}, { x, y }, [x.size], { SLOW: 2000 }, x.size, other);
  return y;
}

const SIZE = 4096;
const values = Float32Array.from({ length: SIZE }, (_, i) => i / 7);
const right = values.map((v) => v + 1);

test('the fastest kernel is found on eager work, and the results are right all along', async () => {
  const x = tensor(values, { gpu });
  let runs = 0;
  const report = await gpu.tune(async () => {
    runs++;
    using y = increment(x);
    expect(await y.read()).toEqual(right);
  });
  expect(runs).toBeGreaterThan(1);
  expect(report.map(({ key, name, reason }) => ({ key, name, reason }))).toEqual([
    { key: `increment ${SIZE}`, name: 'fast', reason: 'measured' },
  ]);
  expect(Object.keys(report[0]!.picoseconds).sort()).toEqual(['fast', 'slow']);
  expect(gpu.choices.undecided).toBe(0);
  // Then the step is a plain one.
  const before = gpu.counters.dispatches;
  using y = increment(x);
  expect(await y.read()).toEqual(right);
  expect(gpu.counters.dispatches - before).toBe(1);
});

test('a captured step tries its candidates and goes over to the best', async () => {
  const x = tensor(values, { gpu });
  const step = await capture(() => increment(increment(x)));
  const report = await gpu.tune(() => step.run());
  expect(report[0]!.name).toBe('fast');
  step.run();
  expect(await step.value.read()).toEqual(right.map((v) => Math.fround(v + 1)));
  step.dispose();
});

test('without timestamps the queue is the clock', async () => {
  gpu.recorder.trials = new Trials(gpu.device, 'queue', gpu.choices);
  const x = tensor(values, { gpu });
  const report = await gpu.tune(async () => {
    using y = increment(x);
    expect(await y.read()).toEqual(right);
  });
  expect(report[0]!.name).toBe('fast');
});

test('what was found goes through JSON into another device, and autotune: false measures nothing', async () => {
  const x = tensor(values, { gpu });
  await gpu.tune(() => increment(x).dispose());
  const file = JSON.parse(JSON.stringify(gpu.tuned()));
  const isNamed = gpu.adapter.vendor !== '' || gpu.adapter.architecture !== '';
  const other = await init({ tuned: file, autotune: false });
  try {
    const z = tensor(values, { gpu: other });
    using y = increment(z);
    expect(await y.read()).toEqual(right);
    expect(other.choices.refusal === null).toBe(isNamed);
    expect(other.choices.report.map(({ name, reason }) => ({ name, reason }))).toEqual([
      isNamed ? { name: 'fast', reason: 'loaded' } : { name: 'slow', reason: 'default' },
    ]);
    expect(other.choices.undecided).toBe(0);
  } finally {
    other.destroy();
  }
});

test('a device that ends while candidates are measured rejects as always', async () => {
  const x = tensor(values, { gpu });
  const y = increment(x);
  const reading = y.read();
  gpu.destroy();
  await expect(reading).rejects.toThrow(/freed by gpu.destroy|lost/);
});

test('bad options are refused in words', async () => {
  await expect(gpu.tune(() => {}, { most: 0 })).rejects.toThrow('tune: most is 0, expected a positive integer');
  await expect(init({ tuned: { choices: {} } as never })).rejects.toThrow('init: tuned is no tuning file');
});
