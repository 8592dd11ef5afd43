import { expect, test } from 'vitest';
import { DTypeError, grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import { square, sum } from 'evenkeel/ops';
import type { DType } from '../../src/tensor/dtype.ts';
import { TABLE } from '../support/op-table.ts';

const DTYPES = ['f32', 'i32', 'u32', 'bool', 'f16'] as const;
const fractions = Float32Array.from({ length: 24 }, (_, i) => 0.1 + ((i * 7) % 24) / 30);
const input = (dtype: DType): Tensor<DType> =>
  tensor(dtype === 'f32' || dtype === 'f16' ? fractions : fractions.map((v) => Math.round(v * 5)), {
    shape: [4, 6],
    dtype,
  });

test.each(TABLE)('$name takes $dtypes and refuses the rest in words', async ({ dtypes, sample }) => {
  for (const dtype of DTYPES) {
    if (dtypes.split(' ').includes(dtype)) {
      const y = scope(() => sample(input(dtype)));
      expect((await y.read()).length).toBe(y.size);
      y.dispose();
    } else scope(() => expect(() => sample(input(dtype)), dtype).toThrow(DTypeError));
  }
});

const fused = /is a fused op whose gradient cannot be differentiated again/;

test.each(TABLE.filter(({ dtypes }) => dtypes.includes('f32')))(
  '$name can be differentiated: $gradient',
  ({ gradient, sample }) => {
    scope(() => {
      const x = requireGrad(input('f32') as Tensor);
      const y = sample(x) as Tensor;
      expect(y.tracksGrad).toBe(gradient !== 'none');
      if (gradient === 'none') return;
      const [g] = grad(sum(square(y)), [x], { createGraph: true });
      expect(g!.shape).toEqual([4, 6]);
      const again = (): Tensor[] => grad(sum(square(g!)), [x]);
      if (gradient === 1) expect(again).toThrow(fused);
      else expect(again()[0]!.shape).toEqual([4, 6]);
    });
  },
);
