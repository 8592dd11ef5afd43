import { describe, expect, test } from 'vitest';
import { grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { dlrLoss } from 'evenkeel/attack';
import { sum } from 'evenkeel/ops';
import file from '../golden/attacks.json';
import { casesOf, dense, flat } from '../support/golden.ts';

/** Values and gradients of the sum; `kept` is disposed. */
async function both(
  rows: readonly number[],
  classes: number,
  labels: number[],
  targets?: number[],
): Promise<[number[], number[]]> {
  const kept = scope(() => {
    const z = requireGrad(tensor(rows, { shape: [rows.length / classes, classes] }));
    const ints = (v: number[]): Tensor<'i32'> => tensor(v, { dtype: 'i32' });
    const loss = dlrLoss(z, ints(labels), targets ? { targets: ints(targets) } : {});
    return [loss.detach(), grad(sum(loss), [z])[0]!];
  });
  const [values, gradient] = await Promise.all(kept.map((t) => t.read()));
  for (const t of kept) t.dispose();
  return [Array.from(values!), Array.from(gradient!)];
}

function expectClose(got: number[], want: number[], what: string): void {
  const scale = 1e-5 * Math.max(...want.map(Math.abs));
  want.forEach((w, i) =>
    expect(Math.abs(got[i]! - w), `${what}, element ${i}: ${got[i]}, expected ${w}`).toBeLessThanOrEqual(scale),
  );
}

test.each(casesOf(file, 'dlrLoss'))('$name', async ({ inputs, outputs }) => {
  const { data, shape } = dense(inputs.logits);
  const labels = flat(inputs.target);
  const [plain, plainGradient] = await both(data, shape[1]!, labels);
  expectClose(plain, flat(outputs.dlr), 'loss');
  expectClose(plainGradient, flat(outputs.gradDlr), 'gradient');
  const [targeted, targetedGradient] = await both(data, shape[1]!, labels, flat(inputs.targetClass));
  expectClose(targeted, flat(outputs.dlrTargeted), 'targeted loss');
  expectClose(targetedGradient, flat(outputs.gradDlrTargeted), 'targeted gradient');
});

describe('rules', () => {
  test('a shift or a scale of the logits changes nothing; +-1e4 stays finite', async () => {
    const rows = [0.5, -1, 2, 0.25, 3, 1, -2, 0];
    const [base] = await both(rows, 4, [2, 1]);
    const [moved] = await both(
      rows.map((v) => 64 * v + 16),
      4,
      [2, 1],
    );
    expectClose(moved, base, 'shifted and scaled');
    const [large, gradient] = await both([1e4, -1e4, 1e4, 1e4, -1e4, 1e4, 1e4, 1e4], 4, [1, 0], [0, 2]);
    expect([...large, ...gradient].every(Number.isFinite)).toBe(true);
  });

  test('ties: 0 where the label shares the top; the lower class alone has the gradient', async () => {
    // Third largest: -1. d(z_2 - z_0) / 3, the ratio itself being 0.
    const [value, gradient] = await both([2, 0, 2, -1], 4, [0]);
    expect(value).toEqual([0]);
    expectClose(gradient, [-1 / 2, 0, 1 / 2, 0], 'the label is first');
    // The label is second of equals: the first one is the other class.
    expectClose((await both([2, 0, 2, -1], 4, [2]))[1], [1 / 2, 0, -1 / 2, 0], 'the label is second');
    // z_(3) is class 1, the first of two: -(4 - 3) / (4 - 1) has the gradient (1 - 1/3, ..) / 3.
    const [third, thirdGradient] = await both([4, 1, 1, 3], 4, [0]);
    expectClose(third, [-1 / 3], 'equal thirds');
    expectClose(thirdGradient, [-2 / 9, -1 / 9, 0, 1 / 3], 'equal thirds');
  });

  test('errors', () => {
    scope(() => {
      const of = (shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });
      const labels = tensor([0, 1], { dtype: 'i32' });
      expect(() => dlrLoss(of([2, 2]), labels)).toThrow('dlrLoss: logits have 2 classes, expected at least 3');
      expect(() => dlrLoss(of([2, 3]), labels, { targets: labels })).toThrow(
        'dlrLoss: logits have 3 classes, expected at least 4 with targets',
      );
      expect(() => dlrLoss(of([3, 3]), labels)).toThrow('dlrLoss: labels has shape [2], expected [3]');
      expect(() => dlrLoss(of([6]), labels)).toThrow('dlrLoss: logits have shape [6], expected (n, classes)');
    });
  });
});
