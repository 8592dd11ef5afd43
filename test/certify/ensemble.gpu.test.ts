import { expect, test } from 'vitest';
import { ensemble } from '../../src/certify/smoothing/ensemble.ts';
import { Smooth } from '../../src/certify/smoothing/smooth.ts';
import { Linear, Sequential } from '../../src/nn/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { certifyOne } from '../support/certify.ts';

/** A linear classifier [a.x > 0] of two features. */
function member(a: number, b: number) {
  const model = Sequential(Linear(2, 2)).init();
  model.parameters.get('0.weight')!.write(Float32Array.of(0, 0, a, b));
  model.parameters.get('0.bias')!.write(Float32Array.of(0, 0));
  return model;
}

test('mean of logits; its certificate is that of the mean', async () => {
  const members = [member(3, 0), member(0, 1), member(0, 2)];
  const both = ensemble(members);
  const values = scope(() => both.forward(tensor([1, 2, -1, 1], { shape: [2, 2] })));
  expect([...(await values.read())].map((v) => +v.toFixed(6))).toEqual([0, 3, 0, 0]);
  values.dispose();
  // The mean is [x + y > 0], which has the radius sqrt(2) at (1, 1).
  using smooth = new Smooth(both, { numClasses: 2, sigma: 1 });
  const { label, radius } = await certifyOne(smooth, new NdArray(Float32Array.of(1, 1), [2]), { n: 2000 });
  expect(label).toBe(1);
  expect(radius).toBeLessThan(Math.SQRT2);
  expect(radius).toBeGreaterThan(1.2);
  for (const m of members) m.dispose();
});

test('the context of a pass is that of all members; without members', () => {
  const seen: unknown[] = [];
  const model = { forward: (x: Tensor, context: unknown) => (seen.push(context), x) };
  const x = tensor([1], { shape: [1, 1] });
  scope(() => void ensemble([model, model]).forward(x, { training: true }));
  expect(seen).toEqual([{ training: true }, { training: true }]);
  x.dispose();
  expect(() => ensemble([])).toThrow('ensemble: members has 0 entries, expected at least 1');
});
