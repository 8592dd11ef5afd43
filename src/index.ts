export * from './gpu/index.ts';
export type { DType } from './tensor/dtype.ts';
export { NdArray } from './tensor/ndarray.ts';
export { scope } from './tensor/scope.ts';
export { Captured, capture } from './tensor/capture.ts';
export { backward, grad, noGrad, requireGrad } from './tensor/tape.ts';
export { empty, tensor, Tensor, zeros } from './tensor/tensor.ts';
