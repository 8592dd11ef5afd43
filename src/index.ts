export * from './gpu/index.ts';
export type { DType } from './tensor/dtype.ts';
export { NdArray } from './tensor/ndarray.ts';
export { scope } from './tensor/scope.ts';
export { Captured, capture, prepare } from './tensor/capture.ts';
export { detectAnomaly } from './tensor/anomaly.ts';
export {
  checkpoint,
  customGrad,
  grad,
  valueAndGrad,
  type CustomGrad,
  type GradOptions,
  type Tree,
} from './tensor/functional.ts';
export { backward, noGrad, requireGrad } from './tensor/tape.ts';
export { empty, tensor, Tensor, zeros } from './tensor/tensor.ts';
