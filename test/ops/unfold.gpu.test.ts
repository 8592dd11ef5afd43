import { expect, test } from 'vitest';
import { scope, tensor } from 'evenkeel';
import { conv2d, fold, matmul, reshape, sub, unfold } from 'evenkeel/ops';
import * as reference from '../reference/unfold.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp, expectSameBits, readAll, upload } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { exact, summed } from '../support/tolerance.ts';

/** The options of a case. */
const steps = ({ stride, padding, dilation }: reference.Patches): object => ({ stride, padding, dilation });

interface Case extends reference.Patches {
  x: number[];
}

const cases: Case[] = [
  { x: [0, 2, 4, 4], ...reference.plain([2, 2]) },
  { x: [1, 1, 1, 1], ...reference.plain([1, 1]) },
  { x: [1, 2, 5, 6], ...reference.plain([3, 3]) },
  { x: [2, 2, 7, 7], ...reference.plain([3, 3]), padding: [1, 1], stride: [2, 2] },
  { x: [1, 2, 7, 8], ...reference.plain([2, 3]), padding: [1, 2], stride: [1, 2], dilation: [2, 2] },
  { x: [1, 1, 4, 4], ...reference.plain([4, 4]) },
  // Gaps between the patches, and rows behind the last.
  { x: [1, 1, 9, 8], ...reference.plain([2, 1]), stride: [4, 3] },
  { x: [3, 31, 3, 3], ...reference.plain([2, 2]), padding: [1, 0] },
  { x: [1, 1, 2, 257], ...reference.plain([1, 33]), stride: [1, 31] },
];

test.each(cases)(
  'of [$x], kernel $kernel, stride $stride, padding $padding, dilation $dilation',
  async ({ x, ...g }) => {
    const taps = g.kernel[0] * g.kernel[1];
    const image = sample(x);
    await checkOp({
      inputs: [image],
      run: (t) => unfold(t, g.kernel, steps(g)),
      reference: (t) => reference.unfold(t, g),
      gradient: (dy) => [reference.fold(dy, x, g)],
      tolerance: exact,
      gradientTolerance: summed(taps),
    });
    await checkOp({
      inputs: [sample(reference.columnsOf(x, g), { seed: 2 })],
      run: (t) => fold(t, [x[2]!, x[3]!], g.kernel, steps(g)),
      reference: (t) => reference.fold(t, x, g),
      gradient: (dy) => [reference.unfold(dy, g)],
      tolerance: summed(taps),
      gradientTolerance: exact,
    });
  },
);

test('the gradient of the gradient', async () => {
  const g = { ...reference.plain([3, 2]), stride: [2, 1] as const, padding: [1, 1] as const };
  const image = [2, 2, 5, 4];
  await checkLinearTwice(
    sample(image),
    (t) => unfold(t, g.kernel, steps(g)),
    (t) => reference.unfold(t, g),
    (dy) => reference.fold(dy, image, g),
  );
  await checkLinearTwice(
    sample(reference.columnsOf(image, g)),
    (t) => fold(t, [5, 4], g.kernel, steps(g)),
    (t) => reference.fold(t, image, g),
    (dy) => reference.unfold(dy, g),
  );
});

test('more elements than one grid row holds: patches of one element copy', async () => {
  const values = Float32Array.from({ length: 2_100_001 * 2 }, (_, i) => i % 8191);
  const [columns, image] = await readAll(() => {
    const y = unfold(tensor(values, { shape: [2, 1, 1, 2_100_001] }), 1);
    return [y, fold(y, [1, 2_100_001], 1)];
  });
  expectSameBits(columns!, values, 'unfold');
  expectSameBits(image!, values, 'fold');
});

test('a product with the columns is a convolution', async () => {
  const [difference] = await readAll(() => {
    const x = upload(sample([1, 3, 6, 5]));
    const w = upload(sample([4, 3, 3, 3], { seed: 2 }));
    const columns = reshape(unfold(x, 3, { padding: 1 }), [27, 30]);
    return [sub(reshape(conv2d(x, w, null, { padding: 1 }), [4, 30]), matmul(reshape(w, [4, 27]), columns))];
  });
  for (const d of difference!) expect(Math.abs(d)).toBeLessThan(1e-4);
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(32), { shape: [1, 2, 4, 4] });
    const columns = tensor(new Float32Array(72), { shape: [1, 8, 9] });
    expect(() => unfold(columns, 2)).toThrow('unfold: x has shape [1,8,9], expected rank 4');
    expect(() => unfold(x, 5)).toThrow(
      'unfold: an image of 4 x 4 is too small for a 5 x 5 patch with padding [0,0] and dilation [1,1]',
    );
    expect(() => unfold(x, 2, { stride: 0 })).toThrow('unfold: stride is [0,0], expected integers of at least 1');
    expect(() => fold(x, 4, 2)).toThrow('fold: x has shape [1,2,4,4], expected rank 3');
    expect(() => fold(columns, 4, 3)).toThrow(
      'fold: x has shape [1,8,9] with 8 rows, expected a multiple of the 9 elements of a patch',
    );
    expect(() => fold(columns, 5, 2)).toThrow('fold: x has shape [1,8,9] with 9 patches, an image of 5 x 5 has 16');
  });
});
