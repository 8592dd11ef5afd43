import kernel from '../../shaders/strided.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { clear, empty, type Tensor, viewOf } from '../tensor/tensor.ts';
import { expectWords } from './arguments.ts';

/** Where the elements of a view lie in a tensor: element (i, j, ..) at offset + i strides[0] + j strides[1] + ... */
export interface StridedView {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Axes that the kernels can tell apart: those longer than 1, counted after neighbours were joined. */
const MAX_AXES = 16;

/** Elements along the sides of a tile of the shader, and of an axis that is worth one. */
const [SIDE, NARROW] = [32, 16];

/**
 * The axes of a view from the last to the first, without those of size 1; neighbours that step without a jump are one.
 */
function mergedAxes({ shape, strides }: StridedView): { shape: number[]; stride: number[] } {
  const merged = { shape: [] as number[], stride: [] as number[] };
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    const last = merged.shape.length - 1;
    if (last >= 0 && strides[i] === merged.stride[last]! * merged.shape[last]!) merged.shape[last]! *= shape[i]!;
    else {
      merged.shape.push(shape[i]!);
      merged.stride.push(strides[i]!);
    }
  }
  return merged;
}

/**
 * Copies between `dense`, in order, and the view of `strided`: one copy of bytes where the view is one run of elements.
 */
function copyBetween(
  op: string,
  direction: 'take' | 'place',
  dense: Tensor<DType>,
  strided: Tensor<DType>,
  view: StridedView,
): void {
  const { shape, stride } = mergedAxes(view);
  const { size } = dense;
  const [from, to] = direction === 'take' ? [strided, dense] : [dense, strided];
  if (shape.length > MAX_AXES)
    throw new ShapeError(
      `${op}: shape [${view.shape}] has ${shape.length} separate axes longer than 1, at most ${MAX_AXES} are supported`,
    );
  if (size === 0) return;
  if (shape.length === 0 || (shape.length === 1 && stride[0] === 1)) {
    const start = (t: Tensor<DType>): number => t.byteOffset + (t === strided ? 4 * view.offset : 0);
    to.gpu.recorder.push({
      kind: 'copy',
      from: from.storage,
      fromOffset: start(from),
      to: to.storage,
      toOffset: start(to),
      bytes: 4 * size,
    });
    return;
  }
  const { offset } = view;
  const along = stride.findIndex((s) => Math.abs(s) === 1);
  if (to.gpu.tuning.sharesUnder > 0 && along > 0 && Math.min(shape[0]!, shape[along]!) >= NARROW) {
    const dense: number[] = [];
    for (let i = 0, s = 1; i < shape.length; s *= shape[i++]!) dense.push(s);
    const [own, other] = direction === 'take' ? [stride, dense] : [dense, stride];
    const [first, second] = direction === 'take' ? [along, 0] : [0, along];
    const axes = [first, second, ...shape.map((_, i) => i).filter((i) => i !== first && i !== second)];
    const of = (list: readonly number[]): number[] => axes.map((i) => list[i]!);
    const tiles = axes.reduce((n, i, k) => n * (k < 2 ? Math.ceil(shape[i]! / SIDE) : shape[i]!), 1);
    const [start, toOffset] = direction === 'take' ? [offset, 0] : [0, offset];
    const params = { size, offset: start, toOffset, shape: of(shape), stride: of(own), toStride: of(other) };
    kernel.transpose(params, { x: from, y: to }, [SIDE * tiles], { RANK: shape.length });
    return;
  }
  const params = { size, offset, toOffset: 0, shape, stride, toStride: [] };
  kernel[direction](params, { x: from, y: to }, [size], { RANK: shape.length });
}

/** True when a view of a tensor of `size` elements is that tensor in another shape. */
function isWhole(view: StridedView, size: number): boolean {
  const { shape, stride } = mergedAxes(view);
  return (
    view.offset === 0 && sizeOf(view.shape) === size && (shape.length === 0 || (shape.length === 1 && stride[0] === 1))
  );
}

/** The elements of x at `view`, not on the tape; shares memory where they are all of x in order. */
export function copyOut<D extends DType>(op: string, x: Tensor<D>, view: StridedView): Tensor<D> {
  expectWords(x, `${op}: x`);
  if (isWhole(view, x.size)) return viewOf(x, view.shape);
  const y = empty(view.shape, { dtype: x.dtype, gpu: x.gpu });
  copyBetween(op, 'take', y, x, view);
  return y;
}

/** The elements of y at `view` become those of x. */
export function copyIn(op: string, y: Tensor<DType>, view: StridedView, x: Tensor<DType>): void {
  copyBetween(op, 'place', x, y, view);
}

/** {@link copyOut} with its gradient, for views that hold no element twice. */
export function takeView<D extends DType>(op: string, x: Tensor<D>, view: StridedView): Tensor<D> {
  const y = copyOut(op, x, view);
  return record(op, y, [x], {
    gradient: (dy) => [placeView(op, dy, x.shape, view)],
  });
}

/** Zeros of `shape` but for the elements at `view`, which are those of x: the gradient of {@link takeView}. */
export function placeView(op: string, x: Tensor, shape: readonly number[], view: StridedView): Tensor {
  let y: Tensor;
  if (isWhole(view, sizeOf(shape))) y = viewOf(x, shape);
  else {
    y = empty(shape, { gpu: x.gpu });
    if (x.size < y.size) clear(y);
    copyIn(op, y, view, x);
  }
  return record(op, y, [x], { gradient: (dy) => [takeView(op, dy, view)] });
}
