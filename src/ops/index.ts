export { batchNorm, type BatchNormOptions } from './batch-norm.ts';
export { elu, gelu, hardtanh, leakyRelu, logSigmoid, relu, sigmoid, silu, softplus } from './activations.ts';
export { add, div, expand, maximum, minimum, mul, sub, type Arithmetic } from './binary.ts';
export * from './binary-cross-entropy.ts';
export { cast } from './cast.ts';
export * from './compare.ts';
export * from './concat.ts';
export { conv1d, conv2d, type Conv1dOptions, type Conv2dOptions, type Pair } from './conv2d.ts';
export * from './conv-transpose2d.ts';
export * from './cross-entropy.ts';
export { cumsum, type CumsumOptions } from './cumsum.ts';
export { dropout, nextItems, type RandomSource } from './dropout.ts';
export type { Numeric, Operand, Word } from './element.ts';
export { embedding } from './embedding.ts';
export { gather, indexSelect, scatterAdd, type Index } from './gather.ts';
export { bincount, histogram, type BincountOptions, type HistogramOptions } from './histogram.ts';
export * from './kl-div.ts';
export * from './layer-norm.ts';
export { logsumexp } from './logsumexp.ts';
export {
  infDistanceBounds,
  lpDistance,
  lpDistance2d,
  type DistanceBounds,
  type LpDistanceOptions,
} from './lp-distance.ts';
export { sortDistance, sortDistanceBounds, type SortDistanceOptions } from './sort-distance.ts';
export { dot, linear, matmul, outer, type MatmulOptions } from './matmul.ts';
export { mseLoss } from './mse-loss.ts';
export * from './nll-loss.ts';
export { norm, type NormOptions } from './norm.ts';
export { meanShift, type MeanShiftOptions } from './mean-shift.ts';
export { ndtri } from './ndtri.ts';
export * from './normalize.ts';
export { oneHot } from './one-hot.ts';
export { pad, type PadOptions } from './pad.ts';
export * from './permute.ts';
export * from './pool2d.ts';
export { pow } from './pow.ts';
export type { Precision } from './precision.ts';
export { probabilityLoss, type ProbabilityLossKind, type ProbabilityLossOptions } from './probability-loss.ts';
export { prod } from './prod.ts';
export { all, any, argmax, argmin, max, mean, min, sum, type ArgOptions, type ReduceOptions } from './reduce.ts';
export type { ElementReduction, Reduction } from './reduction.ts';
export * from './reshape.ts';
export * from './slice.ts';
export { softCrossEntropy } from './soft-cross-entropy.ts';
export * from './smooth-l1-loss.ts';
export * from './softmax.ts';
export { kthvalue, type KthValue, type KthValueOptions } from './kthvalue.ts';
export type { Sorted } from './launch/sort.ts';
export { argsort, sort, topk, type SortOptions, type TopkOptions } from './sort.ts';
export type { RunningStatistics } from './standardize.ts';
export * from './tile.ts';
export * from './triangle.ts';
export {
  abs,
  ceil,
  clamp,
  cos,
  erf,
  exp,
  expm1,
  floor,
  log,
  log1p,
  neg,
  powScalar,
  reciprocal,
  round,
  rsqrt,
  sign,
  sin,
  sqrt,
  square,
  tanh,
  trunc,
} from './unary.ts';
export { fold, unfold, type UnfoldOptions } from './unfold.ts';
export { shiftFlip } from './shift-flip.ts';
export { upsampleNearest, type UpsampleOptions } from './upsample.ts';
export { std, variance, type VarianceOptions } from './variance.ts';
export { where, type Where } from './where.ts';
export { logLoss, stepState, takeBatch, writeRows, writeState, type StepFields, type StepState } from './batch.ts';
