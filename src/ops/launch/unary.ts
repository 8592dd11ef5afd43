import { elementwise } from '../../tensor/elementwise.ts';
import { empty, type Tensor } from '../../tensor/tensor.ts';
import { bitsOf, ELEMENT, type Word } from '../element.ts';

/** y = body(x) elementwise, not on the tape. The WGSL body sees `x` and the scalars `p` and `q`. */
export function mapUnary<D extends Word>(
  op: string,
  x: Tensor<Word>,
  body: string,
  dtype: D,
  p?: number,
  q?: number,
): Tensor<D> {
  const y = empty(x.shape, { dtype, gpu: x.gpu });
  const operands = { x: { type: ELEMENT[x.dtype], from: x }, ...scalars(p, q) };
  elementwise(op, body, operands, { type: ELEMENT[dtype], to: y }, y.size);
  return y;
}

/** dx = dy slope(x) elementwise, f32; returns dx. The WGSL of the slope sees `x`, the output `y`, `p` and `q`. */
export function mapSlope(
  op: string,
  { x, y, dy, dx }: Record<'x' | 'y' | 'dy' | 'dx', Tensor>,
  slope: string,
  p?: number,
  q?: number,
): Tensor {
  const type = 'f32';
  const operands = { x: { type, from: x }, y: { type, from: y }, dy: { type, from: dy }, ...scalars(p, q) } as const;
  elementwise(`gradient of ${op}`, `dy * (${slope})`, operands, { type, to: dx }, dx.size);
  return dx;
}

function scalars(p = 0, q = 0) {
  const type = 'f32';
  return { p: { type, from: bitsOf(p, type, 'p') }, q: { type, from: bitsOf(q, type, 'q') } } as const;
}
