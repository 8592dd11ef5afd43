export { flatten, relu, type Flatten, type Relu } from './activations.ts';
export { conv2d, type Conv2d, type Conv2dLayerOptions } from './conv2d.ts';
export { cosineLinear, type CosineLinear } from './cosine-linear.ts';
export type { ForwardContext, Layer, ParameterSpec } from './layer.ts';
export { linear, type Linear } from './linear.ts';
export { avgPool2d, maxPool2d, type Pool2d } from './pooling.ts';
export { Sequential, sequential, type ParameterValues } from './sequential.ts';
