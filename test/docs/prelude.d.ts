// What blocks of code of the pages take as given: names that stand for the reader's own model, data and functions.
// A block that declares one of these names has its own.

// The model and its data sets.
declare const model: import('evenkeel/nn').Sequential;
declare const plain: import('evenkeel/nn').Sequential;
declare const other: import('evenkeel/nn').Sequential;
declare const a: import('evenkeel/nn').Sequential, b: typeof a, c: typeof a;
declare const train: import('evenkeel/data').Dataset;
declare const calib: typeof train, validation: typeof train, held: typeof train, test: typeof train;
declare const noisy: typeof train, unlabelled: typeof train;

// Tensors on the device; a function of one; a captured step and the device.
declare const x: import('evenkeel').Tensor, y: import('evenkeel').Tensor<'i32'>;
declare const low: typeof x, high: typeof x;
declare const f: (x: import('evenkeel').Tensor) => import('evenkeel').Tensor;
declare const step: { run(): import('evenkeel').Tensor };
declare const gpu: import('evenkeel').Gpu;
declare const batches: Iterable<{ x: Float32Array; y: Int32Array }>;
declare const rateNow: () => number;
declare const show: (epoch: number, loss: number) => void;
declare const draw: (...values: number[]) => void;

// Outputs of a model on the host, and their labels.
type Rows = import('evenkeel').NdArray<Float32Array>;
declare const logits: Rows, testLogits: Rows, calibLogits: Rows, probs: Rows;
declare const calibProbs: Rows, testProbs: Rows, tuneProbs: Rows;
declare const labels: Int32Array, testLabels: Int32Array, calibLabels: Int32Array, tuneLabels: Int32Array;
declare const attribute: number[], testAttribute: number[], testGroups: number[];
declare const scaled: import('evenkeel/calibrate').CalibratedModel;

// Parts of calls that a page leaves open.
declare const loss: import('evenkeel/losses').Loss;
declare const optimizer: import('evenkeel/optim').Optimizer;
declare const rest: { optimizer: typeof optimizer; epochs: number };
declare const classCounts: number[], costs: number[][], logPrior: number[];
declare const sigma: number;
declare const smooth: import('evenkeel/certify').Smooth;
declare const files: {
  put(name: string, bytes: Uint8Array): Promise<void>;
  get(name: string): Promise<Uint8Array | null>;
};
declare const indices: number[], signal: AbortSignal, file: string;
declare const pool: { zeta: number; trainAccuracy: number }[];
declare const state: import('evenkeel/optim').OptimizerState;

// CONTRIBUTING.md: what a file of src/ops imports.
declare const record: typeof import('../../src/tensor/tape.ts').record;

// docs/getting-started.md: the package in one file.
declare module '*/evenkeel.min.js' {
  export * from 'evenkeel';
  export * as nn from 'evenkeel/nn';
  export * as ops from 'evenkeel/ops';
}
