import kernel from '../../shaders/triangle.wgsl';
import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { record } from '../tensor/tape.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';
import { expectWords } from './arguments.ts';

/** The diagonal of a triangle. */
export interface TriangleOptions {
  /** The outermost diagonal that is kept: 0 the main one, above it positive, below it negative. Default: 0. */
  diagonal?: number;
}

function triangle<D extends DType>(op: 'tril' | 'triu', x: Tensor<D>, diagonal: number): Tensor<D> {
  expectWords(x, `${op}: x`);
  const [rows, cols] = x.shape.slice(-2) as [number, number];
  if (x.rank < 2) throw new ShapeError(`${op}: x has shape [${x.shape}], expected at least two axes`);
  check(op, { diagonal }, { diagonal: integer() });
  const y = empty(x.shape, { dtype: x.dtype, gpu: x.gpu });
  const limited = Math.max(-rows - 1, Math.min(cols + 1, diagonal));
  kernel.forward({ size: y.size, rows, cols, diagonal: limited }, { x, y }, [y.size], { UPPER: Number(op === 'triu') });
  return record(op, y, [x], {
    gradient: (dy) => [triangle(op, dy, diagonal)],
  });
}

/** The lower triangle of matrices (.., rows, cols), zeros above `diagonal`. Any dtype of four bytes. */
export function tril<D extends DType>(x: Tensor<D>, options: TriangleOptions = {}): Tensor<D> {
  expectOptions('tril', options, ['diagonal']);
  const { diagonal = 0 } = options;
  return triangle('tril', x, diagonal);
}

/** The upper triangle of matrices (.., rows, cols), zeros below `diagonal`. Any dtype of four bytes. */
export function triu<D extends DType>(x: Tensor<D>, options: TriangleOptions = {}): Tensor<D> {
  expectOptions('triu', options, ['diagonal']);
  const { diagonal = 0 } = options;
  return triangle('triu', x, diagonal);
}
