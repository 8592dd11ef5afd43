import { expect, test } from 'vitest';
import {
  backward,
  capture,
  detectAnomaly,
  init,
  NonFiniteError,
  requireGrad,
  scope,
  tensor,
  type Tensor,
} from 'evenkeel';
import {
  conv2d,
  div,
  exp,
  infDistanceBounds,
  kthvalue,
  linear,
  logsumexp,
  lpDistance,
  matmul,
  max,
  maxPool2d,
  mul,
  relu,
  softmax,
  sortDistance,
  sortDistanceBounds,
  sqrt,
  sum,
} from 'evenkeel/ops';
import { addNormal, key } from 'evenkeel/random';
import { AnomalyWatch } from '../../src/tensor/anomaly.ts';
import { gpu } from '../support/gpu.ts';

const failure = (fn: () => unknown): Promise<Error> =>
  detectAnomaly(fn).then(
    () => Promise.reject(new Error('nothing was found')),
    (error: Error) => error,
  );

test('finite work passes and keeps its result', async () => {
  const y = await detectAnomaly(() => exp(tensor([1, -200])));
  expect((await y.read())[0]).toBeCloseTo(Math.E, 5);
  y.dispose();
});

test('names the first op, though relu then hides the value', async () => {
  const error = await failure(() => sum(relu(mul(sqrt(tensor([1, -1])), 2))));
  expect(error).toBeInstanceOf(NonFiniteError);
  expect(error.message).toMatch(/^sqrt gave a NaN in its result of shape \[2\]; the 0 results before it were finite/);
});

// Each took NaN for a number where an adapter passes over it.
test.each<[string, (x: Tensor) => Tensor, number[]?]>([
  ['linear', (x) => linear(x, tensor([1, 2], { shape: [1, 2] }), tensor([0]), { activation: 'relu' })],
  ['conv2d', (x) => conv2d(x, tensor([1], { shape: [1, 1, 1, 1] }), tensor([0]), { activation: 'relu' }), [1, 1, 2, 2]],
  ['maxPool2d', (x) => maxPool2d(x, 2), [1, 1, 2, 2]],
  ['max', (x) => max(x)],
  ['logsumexp', (x) => logsumexp(x)],
  ['softmax', (x) => softmax(x)],
  ['lpDistance', (x) => lpDistance(x, tensor([1, 2], { shape: [1, 2] }))],
  ['lpDistance', (x) => infDistanceBounds(x, x, tensor([1, 2], { shape: [1, 2] })).upper],
  ['sortDistance', (x) => sortDistance(x, tensor([1, 2], { shape: [1, 2] }))],
  ['sortDistanceBounds', (x) => sortDistanceBounds(x, x, tensor([1, 2], { shape: [1, 2] })).upper],
  ['kthvalue', (x) => kthvalue(x, { k: 4 }).value],
  ['addNormal', (x) => addNormal(x, key(1), { std: 1, count: 6 })],
])('a NaN that %s is given is seen in its result', async (op, run, shape = [2, 2]) => {
  const x = tensor([1, NaN, 2, 3], { shape });
  expect((await failure(() => run(x))).message).toMatch(new RegExp(`^${op} gave a NaN in its result`));
  x.dispose();
});

test('a NaN in a trained layer of linear + relu is seen, forward and in its gradients', async () => {
  const [w, b] = [requireGrad(tensor([1, -1, 2, 1], { shape: [2, 2] })), requireGrad(tensor([NaN, 0]))];
  const x = tensor([1, 2], { shape: [1, 2] });
  const error = await failure(() => backward(sum(linear(x, w, b, { activation: 'relu' }))));
  expect(error.message).toMatch(
    /^linear gave a NaN in its result of shape \[1,2\]; the 0 results before it were finite/,
  );
  for (const t of [w, b, x]) t.dispose();
});

test('tells an infinity from a NaN', async () => {
  expect((await failure(() => [sqrt(tensor([4])), exp(tensor([1000]))])).message).toBe(
    'exp gave an infinity in its result of shape [1]; the 1 results before it were finite',
  );
});

test('a value in the last of many elements', async () => {
  const x = new Float32Array(70_001).fill(1);
  x[70_000] = 200;
  expect((await failure(() => exp(tensor(x)))).message).toContain(
    'exp gave an infinity in its result of shape [70001]',
  );
});

test('gradients are results too', async () => {
  const x = requireGrad(tensor([0, 1]));
  const error = await failure(() => backward(sum(sqrt(x))));
  expect(error.message).toMatch(
    /^div gave an infinity in its result of shape \[2\]|^gradient of sqrt with respect to input 0 gave an infinity/,
  );
  x.dispose();
});

test('inputs that are not finite are not the fault of an op that passes them on only if it is first', async () => {
  const error = await failure(() => matmul(tensor([Infinity], { shape: [1, 1] }), tensor([1], { shape: [1, 1] })));
  expect(error.message).toContain('matmul gave an infinity');
});

test('works in a captured step, run after run', async () => {
  using watch = new AnomalyWatch(gpu);
  const x = tensor([1]);
  const step = capture(() => watch.run(() => div(1, x) as Tensor));
  step.run();
  await watch.check();
  x.write([0]);
  step.run();
  await expect(watch.check()).rejects.toThrow('div gave an infinity in its result of shape [1]');
  x.write([2]);
  step.run();
  await watch.check();
  step.dispose();
  x.dispose();
});

test('an error frees the result; without a watch nothing is inspected', async () => {
  const before = gpu.memory().live;
  await failure(() => exp(tensor([1000])));
  expect(gpu.memory().live).toBe(before);
  const { dispatches } = gpu.counters;
  const y = scope(() => exp(tensor([1000])));
  await y.read();
  expect(gpu.counters.dispatches - dispatches).toBe(1);
  y.dispose();
});

// Last, since init changes the current device.
test('debug names the place of the call', async () => {
  const other = await init({ debug: true });
  const error = await detectAnomaly(() => exp(tensor([1000], { gpu: other })), { gpu: other }).catch((e: Error) => e);
  expect((error as Error).message).toMatch(/called here[\s\S]*anomaly\.gpu\.test/);
  other.destroy();
});
