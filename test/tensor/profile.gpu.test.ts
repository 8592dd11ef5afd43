import { expect, test } from 'vitest';
import { capture, init, scope, tensor, zeros } from 'evenkeel';
import { conv2d, lpDistance, matmul, softmax, tanh } from 'evenkeel/ops';
import { gpu } from '../support/gpu.ts';
import { mlpStep } from '../support/mlp-step.ts';

test(
  'the replayed step of an MLP: its 12 dispatches by name, with ' + 'device times, and nothing stays behind',
  async () => {
    const { step, dispose } = mlpStep(32);
    const counts = async (run: () => Promise<unknown>): Promise<object> => {
      await gpu.sync();
      const before = { ...gpu.counters, buffers: gpu.buffersCreated };
      await run();
      await gpu.sync();
      const { dispatches, submits, bindGroups } = gpu.counters;
      return {
        dispatches: dispatches - before.dispatches,
        submits: submits - before.submits,
        bindGroups: bindGroups - before.bindGroups,
        buffers: gpu.buffersCreated - before.buffers,
      };
    };
    const run = (): Promise<unknown> => Promise.resolve(step.run());
    const usual = await counts(run);
    expect(usual).toEqual({ dispatches: 12, submits: 1, bindGroups: 0, buffers: 0 });
    await gpu.settle();
    const profile = await gpu.profile(() => step.run());
    expect(profile.value).toBe(step.value);
    expect([profile.dispatches, profile.submits]).toEqual([12, 1]);
    const named: Record<string, number> = {};
    for (const { name, count } of profile.kernels) named[name] = (named[name] ?? 0) + count;
    expect(named).toEqual({
      'matmul.forward': 5,
      'matmul.forwardWithRowSum': 3,
      'cross-entropy.forward': 1,
      'cross-entropy.reduce': 1,
      'cross-entropy.backward': 1,
      'elementwise.sgd': 1,
    });
    expect(gpu.device.features.has('timestamp-query')).toBe(true);
    expect(profile.note).toBeNull();
    expect(profile.gpuMs!).toBeGreaterThan(0);
    expect(profile.gpuMs!).toBeLessThan(1000 * 60);
    expect(profile.kernels.reduce((sum, k) => sum + k.share!, 0)).toBeCloseTo(1, 6);
    // Forward, the gradients of the weights, and those of the inputs but for the first.
    const products = 2 * 32 * (2 * 784 * 256 + 3 * (256 * 128 + 128 * 10));
    expect(profile.kernels.reduce((sum, k) => sum + (k.flops ?? 0), 0)).toBe(products);
    expect(profile.table().split('\n')).toHaveLength(3 + profile.kernels.length);
    expect((JSON.parse(profile.trace()) as { traceEvents: object[] }).traceEvents).toHaveLength(3 + 1 + 12);
    expect(await counts(run)).toEqual(usual);
    expect(gpu.recorder.submitter).toBeNull();
    dispose();
  },
);

test('the bits are those of the step without a profile', async () => {
  const { step, dispose } = mlpStep(32);
  const first = await step.value.item();
  const other = mlpStep(32);
  expect(await other.step.value.item()).toBe(first);
  const plain = await step.run().item();
  const { value } = await gpu.profile(() => other.step.run().item());
  expect(value).toBe(plain);
  dispose();
  other.dispose();
});

test('eager work, bytes as bound, stated arithmetic, copies between dispatches', async () => {
  const [x, a, b, image, w] = [zeros([100]), zeros([6, 5]), zeros([5, 7]), zeros([2, 3, 8, 8]), zeros([4, 3, 3, 3])];
  const profile = await gpu.profile(async () => {
    const outputs = scope(() => [
      tanh(x),
      matmul(a, b),
      conv2d(image, w, null, { padding: 1 }),
      lpDistance(a, a, null, { p: Infinity }),
    ]);
    await outputs[0]!.read();
    gpu.recorder.push({ kind: 'clear', storage: x.storage, offset: 0, bytes: 4 });
    for (const t of outputs) t.dispose();
  });
  const of = (start: string) => profile.kernels.filter(({ name }) => name.startsWith(start));
  expect(profile.dispatches).toBe(4);
  expect(of('elementwise')).toMatchObject([
    { name: 'elementwise.tanh', variant: '', count: 1, bytes: 800, flops: null, intensity: null },
  ]);
  expect(of('matmul')).toMatchObject([{ flops: 2 * 6 * 5 * 7 }]);
  expect(of('conv2d')).toMatchObject([{ flops: 2 * 2 * 64 * 4 * 27 }]);
  expect(of('lp-distance')).toMatchObject([{ flops: 3 * 6 * 6 * 5 }]);
  for (const t of [x, a, b, image, w]) t.dispose();
});

test('more dispatches than one query set holds', async () => {
  const x = zeros([2, 2]);
  const step = capture(() => {
    let y = x;
    for (let i = 0; i < 700; i++) y = softmax(y);
    return y;
  });
  const profile = await gpu.profile(() => {
    for (let i = 0; i < 3; i++) step.run();
  });
  expect([profile.dispatches, profile.submits, profile.kernels.length, profile.kernels[0]!.count]).toEqual([
    2100, 3, 1, 2100,
  ]);
  expect(profile.gpuMs).not.toBeNull();
  for (const t of [step, x]) t.dispose();
});

test('nothing at all', async () => {
  const profile = await gpu.profile(() => 5);
  expect([profile.value, profile.dispatches, profile.kernels, profile.gpuMs]).toEqual([5, 0, [], 0]);
});

test('refuses to nest; an error passes through and leaves the device usable', async () => {
  const x = tensor([1, 2]);
  await expect(gpu.profile(() => gpu.profile(() => 1))).rejects.toThrow('profile inside a profile');
  let inside: Promise<unknown> = Promise.resolve();
  const step = capture(() => {
    inside = gpu.profile(() => 1);
    inside.catch(() => {});
    return tanh(x);
  });
  await expect(inside).rejects.toThrow('profile inside a captured step: profile its runs');
  await expect(
    gpu.profile(() => {
      tanh(x).dispose();
      step.run();
      throw new Error('inside');
    }),
  ).rejects.toThrow('inside');
  expect(gpu.recorder.submitter).toBeNull();
  expect((await gpu.profile(() => step.run())).dispatches).toBe(1);
  expect(await step.run().read()).toHaveLength(2);
  for (const t of [step, x]) t.dispose();
});

test('a device without timestamp queries: counts and bytes, no times', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter!.requestDevice();
  const other = await init({ device });
  const x = zeros([100]);
  const profile = await other.profile(() => tanh(x));
  expect(profile.kernels).toMatchObject([{ name: 'elementwise.tanh', count: 1, bytes: 800, gpuMs: null, share: null }]);
  expect(profile.note).toBe('the device has no timestamp queries: kernels have no device time');
  for (const t of [profile.value, x]) t.dispose();
  other.destroy();
  device.destroy();
});
