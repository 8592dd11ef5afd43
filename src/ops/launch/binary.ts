import kernel from '../../../shaders/binary.wgsl';
import { empty, tensor, Tensor } from '../../tensor/tensor.ts';
import { broadcast, type Broadcast } from '../broadcast.ts';
import { bitsOf, ELEMENT, onLanes, sharedType, type Operand, type Word } from '../element.ts';

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
  const [number, name] = typeof a === 'number' ? [a, 'a'] : typeof b === 'number' ? [b, 'b'] : [0, ''];
  const scalar = bitsOf(number, dtype, `${op}: ${name}`);
  const joint = broadcast(op, [a, b], shape);
  const tensors = {
    a: (a instanceof Tensor ? a : b) as Tensor<Word>,
    b: (b instanceof Tensor ? b : a) as Tensor<Word>,
  };
  const y = empty(joint.shape, { dtype: result ?? dtype, gpu: tensors.a.gpu });
  const { size, axes, vectors } = inVectors(y.size, joint);
  kernel.forward({ size, scalar, axes }, { ...tensors, y }, [size], {
    apply: `return ${dtype === 'f32' ? float : body};`,
    Element: ELEMENT[dtype],
    Result: ELEMENT[y.dtype],
    RANK: joint.rank,
    ...vectors,
    ...(name === 'a' && { first: 'return Elements(bitcast<Element>(params.scalar));' }),
    ...(name === 'b' && { second: 'return Elements(bitcast<Element>(params.scalar));' }),
  });
  return y;
}

const EACH = `return ${onLanes('Result', 'apply', (l) => `u.${l}, v.${l}`)};`;

/** Four neighbours along the last axis at a time, where its size and the strides of the other axes allow it. */
function inVectors(size: number, { axes }: Broadcast) {
  const [last, ...others] = Array.from({ length: axes.length / 4 }, (_, r) => axes.slice(4 * r, 4 * r + 4)) as [
    number[],
    ...number[][],
  ];
  // The operands that are not broadcast along it.
  const along = [1, 2].filter((operand) => last[operand] === 1);
  if (size === 0 || last[0]! % 4 !== 0 || others.some((axis) => along.some((operand) => axis[operand]! % 4 !== 0)))
    return { size, axes, vectors: null };
  const scaled = [
    last.map((n, i) => (i === 0 ? n / 4 : n)),
    ...others.map((axis) => axis.map((n, i) => (along.includes(i) ? n / 4 : n))),
  ];
  const type = (operand: number): string => (along.includes(operand) ? 'vec4<Element>' : 'Element');
  const vectors = {
    ElementsA: type(1),
    ElementsB: type(2),
    Elements: 'vec4<Element>',
    Results: 'vec4<Result>',
    applyAll: EACH,
  };
  return { size: size / 4, axes: scaled.flat(), vectors };
}
