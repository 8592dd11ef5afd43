import kernel from '../../shaders/softmax.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { lanesInPieces, type PiecedLanes } from '../gpu/lanes.ts';
import { normalizeAxes, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import { mul, sub } from './binary.ts';
import { sum } from './reduce.ts';
import { exp } from './unary.ts';

/** The axis that sums to one. */
export interface SoftmaxOptions {
  /** Default: the last axis. */
  axis?: number;
}

/** The rows of x along an axis. */
interface Rows {
  readonly params: { outer: number; length: number; inner: number; pieces: number; chunk: number };
  readonly lanes: PiecedLanes;
  readonly axis: number;
}

function rowsOf(op: string, x: Tensor, axis: number): Rows {
  expectDType(x, 'f32', `${op}: x`);
  const [a] = normalizeAxes([axis], x.rank) ?? [];
  if (a === undefined) throw new ShapeError(`${op}: axis is ${axis}, x has shape [${x.shape}]`);
  if (x.shape[a] === 0) throw new ShapeError(`${op}: axis ${axis} of shape [${x.shape}] is empty`);
  const [outer, length, inner] = [sizeOf(x.shape.slice(0, a)), x.shape[a]!, sizeOf(x.shape.slice(a + 1))];
  const lanes = lanesInPieces(x.gpu, outer * inner, length, inner);
  return { params: { outer, length, inner, pieces: lanes.pieces, chunk: lanes.chunk }, lanes, axis: a };
}

/** Terms whose sum an entry needs, as the shader counts them. */
const KINDS = { forward: 0, forwardLog: 0, backward: 1, backwardLog: 2 };

/** The entry over all rows; where these are in pieces on a GPU, the largest elements and the sums of those before. */
function launch(entry: keyof typeof KINDS, { params, lanes }: Rows, x: Tensor, dy: Tensor, y: Tensor): void {
  const { grid, variant } = lanes;
  if (!lanes.isApart) {
    kernel[entry](params, { x, dy, given: x, y }, grid, variant);
    return;
  }
  const { gpu } = x;
  const pieces = params.outer * params.inner * params.pieces;
  const KIND = KINDS[entry];
  const tops = KIND === 0 ? empty([pieces], { gpu }) : null;
  const sums = empty([pieces, 2], { gpu });
  if (tops) kernel.tops(params, { x, y: tops }, grid, variant);
  kernel.sums(params, { x, dy, given: tops ?? x, y: sums }, grid, { ...variant, KIND });
  kernel[entry](params, { x, dy, given: sums, y }, grid, { ...variant, GIVEN: 1 });
  tops?.dispose();
  sums.dispose();
}

/**
 * softmax(x) along an axis, shifted by the maximum so that it never overflows; 0 at -Infinity. NaN throughout a row
 * with NaN or Infinity or nothing but -Infinity, as PyTorch's.
 */
export function softmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  expectOptions('softmax', options, ['axis']);
  const rows = rowsOf('softmax', x, options.axis ?? -1);
  const y = empty(x.shape, { gpu: x.gpu });
  launch('forward', rows, x, x, y);
  return record('softmax', y, [x], {
    gradient: (dy) => [mul(y, sub(dy, sum(mul(dy, y), { axes: rows.axis, keepDim: true })))],
    fused: (dy, into) => {
      const dx = into.gradient(0);
      launch('backward', rows, y, dy, dx);
      return [dx];
    },
  });
}

/** log(softmax(x)) along an axis, accurate where softmax underflows; -Infinity at -Infinity, NaN as {@link softmax}. */
export function logSoftmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  expectOptions('logSoftmax', options, ['axis']);
  const rows = rowsOf('logSoftmax', x, options.axis ?? -1);
  const y = empty(x.shape, { gpu: x.gpu });
  launch('forwardLog', rows, x, x, y);
  return record('logSoftmax', y, [x], {
    gradient: (dy) => [sub(dy, mul(exp(y), sum(dy, { axes: rows.axis, keepDim: true })))],
    fused: (dy, into) => {
      const dx = into.gradient(0);
      launch('backwardLog', rows, y, dy, dx);
      return [dx];
    },
  });
}
