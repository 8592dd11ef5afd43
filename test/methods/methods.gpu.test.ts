import { describe, expect, test } from 'vitest';
import { backward, requireGrad, scope, tensor, type DType, type Tensor } from 'evenkeel';
import { methodNames } from 'evenkeel/methods';
import * as ops from 'evenkeel/ops';

const x = () => tensor([0.1, 0.9, -0.4, 0.6, 1.3, -0.7], { shape: [2, 3] });
const y = () => tensor([0.5, 0.2, 0.7, -0.3, 0.8, 0.4], { shape: [2, 3] });
const positive = () => tensor([0.1, 0.9, 0.4, 0.6, 1.3, 0.7], { shape: [2, 3] });
const flags = () => tensor([1, 0, 1, 0, 0, 1], { shape: [2, 3], dtype: 'bool' });

type Call = (x: Tensor, y: Tensor) => Tensor<DType>;
type Name = Exclude<(typeof methodNames)[number], 'backward' | 'any' | 'all'>;

/** Each method and the function that it must equal; a third entry where x must be positive. */
const cases: Record<Name, [method: Call, op: Call, isPositive?: true]> = {
  add: [(x, y) => x.add(y), (x, y) => ops.add(x, y)],
  sub: [(x) => x.sub(2), (x) => ops.sub(x, 2)],
  mul: [(x, y) => x.mul(y), (x, y) => ops.mul(x, y)],
  div: [(x, y) => x.div(y), (x, y) => ops.div(x, y)],
  pow: [(x, y) => x.pow(y), (x, y) => ops.pow(x, y), true],
  maximum: [(x, y) => x.maximum(y), (x, y) => ops.maximum(x, y)],
  minimum: [(x) => x.minimum(0.5), (x) => ops.minimum(x, 0.5)],
  neg: [(x) => x.neg(), (x) => ops.neg(x)],
  abs: [(x) => x.abs(), (x) => ops.abs(x)],
  exp: [(x) => x.exp(), (x) => ops.exp(x)],
  log: [(x) => x.log(), (x) => ops.log(x), true],
  sqrt: [(x) => x.sqrt(), (x) => ops.sqrt(x), true],
  square: [(x) => x.square(), (x) => ops.square(x)],
  clamp: [(x) => x.clamp(-0.5, 0.5), (x) => ops.clamp(x, -0.5, 0.5)],
  tanh: [(x) => x.tanh(), (x) => ops.tanh(x)],
  sigmoid: [(x) => x.sigmoid(), (x) => ops.sigmoid(x)],
  relu: [(x) => x.relu(), (x) => ops.relu(x)],
  greater: [(x, y) => x.greater(y), (x, y) => ops.greater(x, y)],
  greaterEqual: [(x, y) => x.greaterEqual(y), (x, y) => ops.greaterEqual(x, y)],
  less: [(x) => x.less(0), (x) => ops.less(x, 0)],
  lessEqual: [(x, y) => x.lessEqual(y), (x, y) => ops.lessEqual(x, y)],
  equal: [(x) => x.equal(0.6), (x) => ops.equal(x, 0.6)],
  notEqual: [(x) => x.notEqual(0.6), (x) => ops.notEqual(x, 0.6)],
  where: [(x, y) => x.where(flags(), y), (x, y) => ops.where(flags(), x, y)],
  matmul: [(x, y) => x.matmul(y, { transposeB: true }), (x, y) => ops.matmul(x, y, { transposeB: true })],
  sum: [(x) => x.sum({ axes: 1 }), (x) => ops.sum(x, { axes: 1 })],
  mean: [(x) => x.mean({ axes: 0, keepDim: true }), (x) => ops.mean(x, { axes: 0, keepDim: true })],
  max: [(x) => x.max({ axes: 1 }), (x) => ops.max(x, { axes: 1 })],
  min: [(x) => x.min(), (x) => ops.min(x)],
  argmax: [(x) => x.argmax({ axis: 0 }), (x) => ops.argmax(x, { axis: 0 })],
  argmin: [(x) => x.argmin({ axis: 1 }), (x) => ops.argmin(x, { axis: 1 })],
  norm: [(x) => x.norm({ p: 1, axes: 1 }), (x) => ops.norm(x, { p: 1, axes: 1 })],
  std: [(x) => x.std({ axes: 1 }), (x) => ops.std(x, { axes: 1 })],
  variance: [(x) => x.variance({ correction: 0 }), (x) => ops.variance(x, { correction: 0 })],
  logsumexp: [(x) => x.logsumexp({ axes: 1 }), (x) => ops.logsumexp(x, { axes: 1 })],
  softmax: [(x) => x.softmax({ axis: 0 }), (x) => ops.softmax(x, { axis: 0 })],
  logSoftmax: [(x) => x.logSoftmax(), (x) => ops.logSoftmax(x)],
  reshape: [(x) => x.reshape([3, -1]), (x) => ops.reshape(x, [3, -1])],
  flatten: [(x) => x.flatten({ startAxis: 0 }), (x) => ops.flatten(x, { startAxis: 0 })],
  squeeze: [(x) => x.unsqueeze(1).squeeze({ axes: 1 }), (x) => ops.squeeze(ops.unsqueeze(x, 1), { axes: 1 })],
  unsqueeze: [(x) => x.unsqueeze(-1), (x) => ops.unsqueeze(x, -1)],
  expand: [(x) => x.expand([2, 2, 3]), (x) => ops.expand(x, [2, 2, 3])],
  transpose: [(x) => x.transpose(), (x) => ops.transpose(x)],
  swapaxes: [(x) => x.swapaxes(0, 1), (x) => ops.swapaxes(x, 0, 1)],
  permute: [(x) => x.permute([1, 0]), (x) => ops.permute(x, [1, 0])],
  at: [(x) => x.at(-1), (x) => ops.at(x, -1)],
  slice: [(x) => x.slice({ start: 1, axes: 1 }), (x) => ops.slice(x, { start: 1, axes: 1 })],
  flip: [(x) => x.flip({ axes: 1 }), (x) => ops.flip(x, { axes: 1 })],
  cast: [(x) => x.cast('i32'), (x) => ops.cast(x, 'i32')],
};

const withoutGradient = 'greater greaterEqual less lessEqual equal notEqual argmax argmin cast'.split(' ');

/** The result of a call and the gradients of the sum of its squares, where there are any. */
async function outcome(call: Call, isPositive = false) {
  const values = scope(() => {
    const [a, b] = [requireGrad(isPositive ? positive() : x()), requireGrad(y())];
    const out = call(a, b);
    if (out.tracksGrad) backward(ops.sum(ops.square(out as Tensor)));
    const kept = [out, ...[a, b].map(({ grad }) => grad && ops.mul(grad, 1))];
    return kept.filter((t) => t !== null);
  });
  const read = await Promise.all(values.map((t) => t.array()));
  for (const t of values) t.dispose();
  return {
    dtype: values[0]!.dtype,
    isOnTape: values.length > 1,
    values: read.map(({ data, shape }) => ({ data, shape })),
  };
}

describe('methods', () => {
  test.each(Object.entries(cases))('%s equals its function, and so do gradients', async (name, [method, op, sign]) => {
    const found = await outcome(method, sign);
    expect(found).toEqual(await outcome(op, sign));
    expect(found.isOnTape).toBe(!withoutGradient.includes(name));
  });

  test('any and all, of flags', async () => {
    const answers = scope(() => {
      const f = flags();
      return [f.any({ axes: 1 }), ops.any(f, { axes: 1 }), f.all(), ops.all(f)];
    });
    const [a, b, c, d] = await Promise.all(answers.map((t) => t.array()));
    for (const t of answers) t.dispose();
    expect([a, c]).toEqual([b, d]);
    expect([a!.toArray(), c!.toArray()]).toEqual([[1, 1], 0]);
  });

  test('each is in the table, and none hides what tensors have', () => {
    expect([...methodNames].sort()).toEqual([...Object.keys(cases), 'all', 'any', 'backward'].sort());
    const t = tensor([1]);
    expect(Object.keys(t)).not.toContain('add');
    t.dispose();
  });

  test('a chain as people write it; the gradient flows through it', async () => {
    const [w, b] = [tensor([1, -1, 2, 0.5, 0.5, -2], { shape: [3, 2] }), tensor([0.1, -0.1])];
    requireGrad(w);
    requireGrad(b);
    const grads = scope(() => {
      const loss = x().matmul(w).add(b).relu().sum({ axes: 1 }).mean();
      loss.backward();
      return [loss, w.grad!, b.grad!].map((t) => ops.mul(t, 1));
    });
    const [loss, dw, db] = await Promise.all(grads.map((t) => t.toArray()));
    const xs = [
      [0.1, 0.9, -0.4],
      [0.6, 1.3, -0.7],
    ];
    const ws = [
      [1, -1],
      [2, 0.5],
      [0.5, -2],
    ];
    const out = xs.map((row) => [0.1, -0.1].map((bias, j) => row.reduce((s, v, k) => s + v * ws[k]![j]!, bias)));
    const mask = out.map((row) => row.map((v) => Number(v > 0)));
    expect(loss).toBeCloseTo(out.flat().reduce((s, v) => s + Math.max(0, v), 0) / 2, 5);
    expect((db as number[]).map((v) => Math.fround(v))).toEqual([0, 1].map((j) => (mask[0]![j]! + mask[1]![j]!) / 2));
    for (let k = 0; k < 3; k++)
      for (let j = 0; j < 2; j++)
        expect((dw as number[][])[k]![j]).toBeCloseTo((xs[0]![k]! * mask[0]![j]! + xs[1]![k]! * mask[1]![j]!) / 2, 5);
    for (const t of [...grads, w, b]) t.dispose();
  });

  test('integers stay integers, and errors are those of the functions', async () => {
    const n = tensor([1, 2, 3], { dtype: 'i32' });
    const sum = scope(() => n.mul(2).sum());
    expect([sum.dtype, await sum.item()]).toEqual(['i32', 12]);
    expect(() => n.at(3)).toThrow(new RangeError('at: index is 3, expected an integer in -3..2'));
    expect(() => n.sum({ axis: 0 } as object)).toThrow("sum: unknown option 'axis', did you mean 'axes'?");
    for (const t of [n, sum]) t.dispose();
  });
});
