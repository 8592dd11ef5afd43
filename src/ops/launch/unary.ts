import kernel from '../../../shaders/unary.wgsl';
import { empty, type Tensor } from '../../tensor/tensor.ts';
import { ELEMENT, onLanes, type Word } from '../element.ts';

/** y = body(x) elementwise, not on the tape. The WGSL body sees `x` and the scalars `p` and `q`. */
export function mapUnary<D extends Word>(x: Tensor<Word>, body: string, dtype: D, p = 0, q = 0): Tensor<D> {
  const y = empty(x.shape, { dtype, gpu: x.gpu });
  const { size, vectors } = inVectors(y.size);
  kernel.forward({ size, p, q }, { x, y }, [size], {
    apply: `return ${body};`,
    Element: ELEMENT[x.dtype],
    Result: ELEMENT[dtype],
    ...vectors,
  });
  return y;
}

const VECTORS = {
  Elements: 'vec4<Element>',
  Results: 'vec4<Result>',
  Slopes: 'vec4f',
  applyAll: `return ${onLanes('Result', 'apply', (l) => `v.${l}, p, q`)};`,
  slopeAll: `return ${onLanes('f32', 'slope', (l) => `v.${l}, w.${l}, p, q`)};`,
};

/** Elements are taken four at a time where their number allows it. */
function inVectors(size: number) {
  return size > 0 && size % 4 === 0 ? { size: size / 4, vectors: VECTORS } : { size, vectors: null };
}

/** dx = dy slope(x) elementwise, f32; returns dx. The WGSL of the slope sees `x`, the output `y`, `p` and `q`. */
export function mapSlope(x: Tensor, y: Tensor, dy: Tensor, dx: Tensor, slope: string, p: number, q: number): Tensor {
  const { size, vectors } = inVectors(x.size);
  kernel.backwardInput({ size, p, q }, { x, output: y, dy, dx }, [size], { slope: `return ${slope};`, ...vectors });
  return dx;
}
