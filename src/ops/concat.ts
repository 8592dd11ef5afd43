import { expectOptions } from '../check/options.ts';
import { DTypeError, ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { stridesOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';
import { axisOf, expectWords } from './arguments.ts';
import { unsqueeze } from './reshape.ts';
import { copyIn, takeView } from './strided.ts';

function expectAlike(
  op: string,
  tensors: readonly Tensor<DType>[],
  fits: (t: Tensor<DType>, first: Tensor<DType>) => boolean,
  expected: string,
): Tensor<DType> {
  const [first] = tensors;
  if (!first) throw new ShapeError(`${op}: tensors is empty, expected at least one tensor`);
  tensors.forEach((t, i) => {
    expectWords(t, `${op}: tensors[${i}]`);
    if (t.dtype !== first.dtype)
      throw new DTypeError(`${op}: tensors[${i}] is ${t.dtype}, expected ${first.dtype} as tensors[0]`);
    if (!fits(t, first))
      throw new ShapeError(
        `${op}: tensors[${i}] has shape [${t.shape}], expected that of tensors[0] [${first.shape}]${expected}`,
      );
  });
  return first;
}

/**
 * Tensors joined along `axis` (default 0), as PyTorch's cat: equal shapes but for that axis, one dtype of four bytes,
 * any number of them. One dispatch per tensor; one copy of bytes where its elements stay together, as they do along
 * axis 0.
 */
export function concat<D extends DType>(tensors: readonly Tensor<D>[], options: { axis?: number } = {}): Tensor<D> {
  expectOptions('concat', options, ['axis']);
  const { axis = 0 } = options;
  let a = 0;
  const first = expectAlike(
    'concat',
    tensors,
    (t, head) => {
      a = axisOf('concat', head, axis).axis;
      return t.rank === head.rank && t.shape.every((d, i) => i === a || d === head.shape[i]);
    },
    ` off axis ${axis}`,
  );
  const shape = first.shape.map((d, i) => (i === a ? tensors.reduce((sum, t) => sum + t.shape[a]!, 0) : d));
  const y = empty(shape, { dtype: first.dtype as D, gpu: first.gpu });
  const strides = stridesOf(shape);
  let start = 0;
  const views = tensors.map((t) => {
    const view = { shape: t.shape, strides, offset: start * strides[a]! };
    start += t.shape[a]!;
    copyIn('concat', y, view, t);
    return view;
  });
  return record('concat', y, tensors, { gradient: (dy) => views.map((view) => () => takeView('concat', dy, view)) });
}

/** Tensors of one shape and dtype joined along a new axis, before axis `axis` (default 0); -1 puts it last. */
export function stack<D extends DType>(tensors: readonly Tensor<D>[], options: { axis?: number } = {}): Tensor<D> {
  expectOptions('stack', options, ['axis']);
  const { axis = 0 } = options;
  expectAlike('stack', tensors, (t, head) => t.rank === head.rank && t.shape.every((d, i) => d === head.shape[i]), '');
  return concat(
    tensors.map((t) => unsqueeze(t, axis)),
    { axis },
  );
}
