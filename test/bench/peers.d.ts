/**
 * The parts of the peers that the benchmark uses. Written out, so that the project type-checks where they are not
 * installed.
 */
declare module '@jax-js/jax' {
  export interface Array {
    readonly ref: Array;
    readonly shape: number[];
    add(other: Array | number): Array;
    sub(other: Array | number): Array;
    div(other: Array | number): Array;
    mul(other: Array | number): Array;
    reshape(shape: number[]): Array;
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  export const numpy: {
    float32: unknown;
    array(data: Float32Array, options: { shape: number[]; dtype: unknown }): Array;
    zeros(shape: number[]): Array;
    matmul(a: Array, b: Array): Array;
    transpose(a: Array): Array;
    tanh(a: Array): Array;
    exp(a: Array): Array;
    sqrt(a: Array): Array;
    sum(a: Array, axis?: number | number[]): Array;
    mean(a: Array, axis?: number | number[]): Array;
    max(a: Array, axis?: number | number[]): Array;
  };
  export const nn: { relu(a: Array): Array; sigmoid(a: Array): Array; logSoftmax(a: Array): Array };
  export const lax: { conv(x: Array, w: Array, strides: number[], padding: 'VALID' | 'SAME'): Array };
  export function init(device: 'webgpu'): Promise<string[]>;
  export function defaultDevice(device: 'webgpu'): void;
  export function getWebGPUDevice(): GPUDevice;
  export function blockUntilReady(tree: Array[]): Promise<unknown>;
  export function jit<F>(f: F): F & { dispose(): void };
  export function valueAndGrad<A, R extends unknown[]>(
    f: (first: A, ...rest: R) => Array,
  ): (first: A, ...rest: R) => [Array, A];
}

declare module '@tensorflow/tfjs-core' {
  export interface Tensor {
    readonly shape: number[];
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  export interface WebGPUBackend {
    queue: GPUQueue;
    commandEncoder: GPUCommandEncoder | null;
    endComputePassEncoder(): void;
    submitQueue(): void;
  }
  interface Optimizer {
    minimize(f: () => Tensor, returnCost: boolean, variables: Tensor[]): Tensor | null;
    dispose(): void;
  }
  export function setBackend(name: 'webgpu'): Promise<boolean>;
  export function ready(): Promise<void>;
  export function backend(): object;
  export function memory(): { numTensors: number };
  export function tensor(data: Float32Array, shape: number[]): Tensor;
  export function variable(start: Tensor): Tensor;
  export function tidy(f: () => Tensor[]): Tensor[];
  export function grad(f: (x: Tensor) => Tensor): (x: Tensor) => Tensor;
  export function valueAndGrads(
    f: (...inputs: Tensor[]) => Tensor,
  ): (inputs: Tensor[]) => { value: Tensor; grads: Tensor[] };
  export function matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  export function conv2d(x: Tensor, filter: Tensor, stride: number, pad: 'valid' | 'same'): Tensor;
  export function maxPool(x: Tensor, size: number, stride: number, pad: 'valid'): Tensor;
  export function reshape(x: Tensor, shape: number[]): Tensor;
  export function add(a: Tensor, b: Tensor | number): Tensor;
  export function sub(a: Tensor, b: Tensor | number): Tensor;
  export function mul(a: Tensor, b: Tensor | number): Tensor;
  export function relu(x: Tensor): Tensor;
  export function tanh(x: Tensor): Tensor;
  export function sigmoid(x: Tensor): Tensor;
  export function exp(x: Tensor): Tensor;
  export function square(x: Tensor): Tensor;
  export function sum(x: Tensor, axis?: number): Tensor;
  export function mean(x: Tensor, axis?: number): Tensor;
  export function moments(x: Tensor, axes: number[]): { mean: Tensor; variance: Tensor };
  export function batchNorm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    offset?: Tensor,
    scale?: Tensor,
    eps?: number,
  ): Tensor;
  export function max(x: Tensor, axis?: number): Tensor;
  export const losses: { softmaxCrossEntropy(labels: Tensor, logits: Tensor): Tensor };
  export const train: { momentum(lr: number, momentum: number): Optimizer };
}

declare module '@tensorflow/tfjs-core/dist/register_all_gradients';
declare module '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
declare module '@tensorflow/tfjs-backend-webgpu';
