export {
  ELU,
  Flatten,
  GELU,
  LeakyReLU,
  ReLU,
  Sigmoid,
  SiLU,
  Softplus,
  Tanh,
  type Activation,
} from './activation-layers.ts';
export { Conv2d, type Conv2dLayerOptions } from './conv-layer.ts';
export { CosineLinear } from './cosine-linear.ts';
export { Dropout } from './dropout-layer.ts';
export { Embedding } from './embedding-layer.ts';
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
export { frozen, type HeldWeights } from './pass-weights.ts';
export { Linear } from './linear-layer.ts';
export { lenet } from './lenet.ts';
export { mlp } from './mlp.ts';
export { BasicBlock, cifarResnet, resnet20, resnet32, type ResnetOptions } from './resnet.ts';
export { wideResnet, type WideResnetOptions } from './wide-resnet.ts';
export { BatchNorm, GroupNorm, LayerNorm, type BatchNormLayerOptions } from './norm-layers.ts';
export { NormalizeInput, type NormalizeInputOptions } from './normalize-input.ts';
export { PadShortcut } from './pad-shortcut.ts';
export { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, type Pool2d } from './pooling-layers.ts';
export { Residual, type ResidualOptions } from './residual.ts';
export { Sequential, type ParameterValues } from './sequential.ts';
export {
  Bias,
  DistancePower,
  LinfDistConv2d,
  LinfDistLinear,
  MeanShift,
  NegatedDistance,
  type LinfDistOptions,
} from './linf-dist.ts';
export { linfDistConvNet, type LinfDistConvNetOptions, type LinfDistConvSize } from './linf-dist-conv-net.ts';
export { linfDistMlp, LinfDistNet, type LinfDistMlpOptions } from './linf-dist-mlp.ts';
export { linfDistHeadNet, type LinfDistHeadNet, type LinfDistHeadNetOptions } from './linf-dist-head-net.ts';
export { NtkLinear } from './ntk-linear.ts';
export { Backbone, Reheaded, splitClassifier, type SplitModel } from './backbone.ts';
export { ClassScale } from './class-scale.ts';
export { recomputeMeans } from './recompute-means.ts';
export { SortDistLinear, sortNet, type SortDistOptions, type SortNetOptions } from './sort-net.ts';
