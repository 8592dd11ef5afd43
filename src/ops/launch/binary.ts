import type { Operand as ElementOperand } from '../../gpu/chain.ts';
import { elementwise } from '../../tensor/elementwise.ts';
import { empty, tensor, Tensor } from '../../tensor/tensor.ts';
import { axesOf, broadcast } from '../broadcast.ts';
import { bitsOf, ELEMENT, sharedType, type Operand, type Word } from '../element.ts';

interface MapOptions {
  /** Element types that the op takes. Default: f32. */
  dtypes?: readonly Word[];
  /** The body for f32, where it differs. */
  float?: string | undefined;
  /** Element type of the result. Default: that of the operands. */
  result?: Word;
  /** Shape of the result. Default: the joint shape. */
  shape?: readonly number[];
}

/** y = body(a, b) elementwise over broadcast shapes, not on the tape. The WGSL body sees `a` and `b`. */
export function mapBinary(
  op: string,
  body: string,
  a: Operand<Word>,
  b: Operand<Word>,
  options: MapOptions = {},
): Tensor<Word> {
  const { dtypes = ['f32'], float = body, result, shape } = options;
  const dtype = sharedType(op, a, b, dtypes);
  if (!dtype) {
    const first = tensor(a as number);
    const y = mapBinary(op, body, first, b, options);
    first.dispose();
    return y;
  }
  const type = ELEMENT[dtype];
  const bits = [a, b].map((v, i) => (v instanceof Tensor ? 0 : bitsOf(v, dtype, `${op}: ${'ab'[i]}`)));
  const joint = broadcast(op, [a, b], shape);
  const y = empty(joint.shape, { dtype: result ?? dtype, gpu: (a instanceof Tensor ? a : (b as Tensor<Word>)).gpu });
  const operand = (v: Operand<Word>, i: number): ElementOperand =>
    v instanceof Tensor ? { type, from: v, axes: axesOf(joint, i) } : { type, from: bits[i]! };
  const operands = { a: operand(a, 0), b: operand(b, 1) };
  elementwise(op, dtype === 'f32' ? float : body, operands, { type: ELEMENT[y.dtype], to: y }, y.size);
  return y;
}
