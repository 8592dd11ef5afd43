import { expect, test } from 'vitest';
import { backward, capture, requireGrad, scope, tensor, grad } from 'evenkeel';
import { add, log1p, mul, sum, relu, linear, exp } from 'evenkeel/ops';
import { gpu } from '../support/gpu.ts';

test('add(x,x)', async () => {
  const x = requireGrad(tensor([1, 2, 3]));
  scope(() => backward(sum(add(x, x))));
  console.log('add', await x.grad!.read());
  x.dispose();
});
test('alias', async () => {
  const x = requireGrad(tensor([1, 2, 3]));
  const w = requireGrad(tensor([1, 2, 3]));
  scope(() => backward(sum(add(add(mul(x, 5), add(x, w)), mul(x, 3)))));
  console.log('alias', await x.grad!.read(), await w.grad!.read());
  x.dispose(); w.dispose();
});
test('scalar', async () => {
  const x = requireGrad(tensor(2));
  scope(() => backward(add(x, x)));
  console.log('scalar', await x.grad!.read());
  scope(() => backward(add(x, x)));
  console.log('scalar', await x.grad!.read());
  x.dispose();
});
test('capture const', async () => {
  const x = tensor([1, 2, 3]);
  const c = capture(() => mul(x, 2));
  console.log('cap', await c.value.read());
  x.write([4, 5, 6]);
  console.log('cap', await c.run().read());
  c.dispose();
  x.dispose();
});
test('log1p', async () => {
  const xs = [1e-3, 1e-4, 1e-5, 1e-6, 3e-7, 1.2e-7, -1e-6, 0.01, 0.1].map(Math.fround);
  const x = tensor(xs);
  const y = log1p(x);
  const v = await y.read();
  console.log('log1p', xs.map((a, i) => (v[i]! - Math.log1p(a)) / Math.log1p(a)));
  x.dispose(); y.dispose();
});
test('mask', async () => {
  const x = tensor([1, -1], { shape: [1, 2] });
  const w1 = requireGrad(tensor([1, 0, 0, 1], { shape: [2, 2] }));
  const b1 = tensor([0, 0]);
  const w2 = tensor([1, 1], { shape: [1, 2] });
  const b2 = tensor([0]);
  const g = scope(() => { const h = linear(x, w1, b1, { activation: 'relu' }); return grad(sum(linear(h, w2, b2)), [h])[0]!; });
  console.log('mask', await g.read(), 'want 1 1');
  for (const t of [x, w1, b1, w2, b2, g]) t.dispose();
});
test('unscoped backward', async () => {
  const x = requireGrad(tensor([1, 2, 3]));
  const y = exp(x); const z = mul(y, y); const s = sum(z);
  const before = gpu.memory().live;
  backward(s);
  console.log('leak', gpu.memory().live - before, 'want 12');
  for (const t of [x, y, z, s]) t.dispose();
});
