import { expect, test } from 'vitest';
import { Pipeline } from '../../src/gpu/pipeline.ts';

/** A device that compiles when it is told to. */
function slowDevice() {
  const made = { sync: 0, async: 0 };
  let finish!: (p: GPUComputePipeline) => void;
  let fail!: (e: Error) => void;
  const device = {
    createComputePipeline: () => (made.sync++, {} as GPUComputePipeline),
    createComputePipelineAsync: () => (
      made.async++,
      new Promise<GPUComputePipeline>((resolve, reject) => ([finish, fail] = [resolve, reject]))
    ),
  } as unknown as GPUDevice;
  const pipeline = new Pipeline(
    device,
    'op.forward',
    '',
    {} as GPUBindGroupLayout,
    () => ({}) as GPUComputePipelineDescriptor,
  );
  return { made, pipeline, finish: () => finish({} as GPUComputePipeline), fail: () => fail(new Error('device lost')) };
}

test('a piece that pays for the compilation alone is taken at once', () => {
  const { pipeline, made } = slowDevice();
  expect(pipeline.takes(1)).toBe(true);
  expect(made.async).toBe(0);
});

test(
  'smaller pieces are left until they would have paid; then it compiles meanwhile, and takes them when it is ' +
    'ready',
  async () => {
    const { pipeline, made, finish } = slowDevice();
    expect([pipeline.takes(0.4), pipeline.takes(0.4)]).toEqual([false, false]);
    expect([made.async, pipeline.isPostponed]).toEqual([0, true]);
    expect(pipeline.takes(0.4)).toBe(false);
    expect(made.async).toBe(1);
    // Even a large piece is left while it compiles: a second compilation would not be sooner.
    expect(pipeline.takes(5)).toBe(false);
    finish();
    await pipeline.compile();
    expect([pipeline.takes(0.4), pipeline.isPostponed, made.async, made.sync]).toEqual([true, false, 1, 0]);
  },
);

test('a compilation that fails is not hidden: the next piece compiles it in sight', async () => {
  const { pipeline, made, fail } = slowDevice();
  pipeline.takes(0.9);
  pipeline.takes(0.2);
  fail();
  await expect(pipeline.compile()).rejects.toThrow('device lost');
  expect(pipeline.takes(0.1)).toBe(true);
  void pipeline.raw;
  expect(made.sync).toBe(1);
});
