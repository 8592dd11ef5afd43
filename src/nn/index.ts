export {
  elu,
  flatten,
  gelu,
  leakyRelu,
  relu,
  sigmoid,
  silu,
  softplus,
  tanh,
  type Activation,
  type Elu,
  type Flatten,
  type Gelu,
  type LeakyRelu,
  type Relu,
} from './activations.ts';
export { conv2d, type Conv2d, type Conv2dLayerOptions } from './conv2d.ts';
export { cosineLinear, type CosineLinear } from './cosine-linear.ts';
export { dropout, type Dropout } from './dropout.ts';
export { embedding, type Embedding } from './embedding.ts';
export { constant, kaimingNormal, startingFrom } from './init.ts';
export {
  countParameters,
  walkLayers,
  type BufferSpec,
  type ForwardContext,
  type Layer,
  type ParameterSpec,
  type PassOptions,
  type PassWeights,
} from './layer.ts';
export { freeze, unfreeze } from './freeze.ts';
export type { Module } from './module.ts';
export type { ParameterSelection } from '../tensor/selection.ts';
export type { LoadOptions, LoadReport, StateValue } from './load-state.ts';
export type { BatchOptions, PredictOptions } from './map-batches.ts';
export type { HeldWeights } from './pass-weights.ts';
export { linear, type Linear } from './linear.ts';
export { lenet } from './lenet.ts';
export { mlp } from './mlp.ts';
export { basicBlock, cifarResnet, resnet20, resnet32, type ResnetOptions } from './resnet.ts';
export { wideResnet, type WideResnetOptions } from './wide-resnet.ts';
export {
  batchNorm,
  groupNorm,
  layerNorm,
  type BatchNorm,
  type BatchNormLayerOptions,
  type GroupNorm,
  type LayerNorm,
} from './norms.ts';
export { normalizeInput, type NormalizeInput, type NormalizeInputOptions } from './normalize-input.ts';
export { padShortcut, type PadShortcut } from './pad-shortcut.ts';
export { adaptiveAvgPool2d, avgPool2d, maxPool2d, type AdaptiveAvgPool2d, type Pool2d } from './pooling.ts';
export { residual, type Residual, type ResidualOptions } from './residual.ts';
export { Sequential, sequential, type ParameterValues } from './sequential.ts';
export {
  bias,
  DistancePower,
  linfDistConv2d,
  linfDistLinear,
  meanShift,
  negatedDistance,
  type Bias,
  type LinfDistConv2d,
  type LinfDistLinear,
  type LinfDistOptions,
  type MeanShift,
  type NegatedDistance,
} from './linf-dist.ts';
export { linfDistConvNet, type LinfDistConvNetOptions, type LinfDistConvSize } from './linf-dist-conv-net.ts';
export { linfDistMlp, LinfDistNet, type LinfDistMlpOptions } from './linf-dist-mlp.ts';
export { linfDistHeadNet, LinfDistHeadNet, type LinfDistHeadNetOptions } from './linf-dist-head-net.ts';
export { ntkLinear, type NtkLinear } from './ntk-linear.ts';
export { Backbone, Reheaded, splitClassifier, type SplitModel } from './backbone.ts';
export { classScale, type ClassScale } from './class-scale.ts';
export { recomputeMeans } from './recompute-means.ts';
export { sortDistLinear, sortNet, type SortDistLinear, type SortDistOptions, type SortNetOptions } from './sort-net.ts';
