import { backward, capture, NdArray, noGrad, prepare, tensor, type Captured, type Gpu, type Tensor } from 'evenkeel';
import { Smooth } from 'evenkeel/certify';
import { crossEntropyLoss, type Loss } from 'evenkeel/losses';
import { linfMargin } from 'evenkeel/objectives';
import {
  Conv2d,
  Flatten,
  lenet,
  Linear,
  linfDistMlp,
  MaxPool2d,
  mlp,
  ReLU,
  resnet20,
  resnet32,
  Sequential,
  type Layer,
} from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { firstLosses, labels, parametersOf, values, type Contestant } from '../contestant.ts';
import { spread } from '../statistics.ts';
import { FIRST_MLP, weightShapes, type Cnn, type Mlp, type Training, type WorkOf } from '../workloads.ts';

/** What one training step asks of WebGPU and of the host. */
export interface StepCounts {
  dispatches: number;
  submits: number;
  /** Buffers created. */
  buffers: number;
  /** Time on the host, ms, median: parameters written, commands encoded and submitted. */
  host: number;
  /** The part of it that encodes the commands and finishes the buffer, without the submit, ms: a mean. */
  encode: number;
  /** The whole step, ms, median. */
  total: number;
}

/** Steps that `host` and `total` are medians of, and replays that `encode` is the mean of. */
const STEPS = 20;
const REPLAYS = 1000;

/** A captured training step. */
export interface TrainingStep extends Contestant {
  /** Compiles all pipelines at once. */
  prepare(): Promise<void>;
  counts(): Promise<StepCounts>;
}

/** `step` captured; `inputs` live as long. */
export function replayed(
  gpu: Gpu,
  step: () => Tensor[],
  inputs: readonly { dispose(): void }[],
): Contestant & { outputs(): Promise<Float32Array[]> } {
  const captured = capture(() => noGrad(step), { gpu });
  const outputs = (): Promise<Float32Array[]> =>
    Promise.all(captured.value.map((t) => t.read())) as Promise<Float32Array[]>;
  return {
    async call() {
      captured.run();
      await gpu.sync();
    },
    outputs,
    result: null,
    dispose() {
      captured.dispose();
      for (const t of inputs) t.dispose();
    },
  };
}

/** The MLP's training step, as `fit` captures it, on one batch. */
export function mlpStep(gpu: Gpu, work: Mlp): TrainingStep {
  const model = mlp(...work.widths).init({ gpu });
  return trainingStep(gpu, model.loadStateDict(parametersOf(work)), batchOf(work, work.widths[0]!), work);
}

/** The step of two convolutions and two linear layers. */
export function cnnStep(gpu: Gpu, work: Cnn): TrainingStep {
  const layers: Record<string, Layer> = {};
  let channels = 1;
  work.convolutions.forEach(([filters, taps], i) => {
    Object.assign(layers, {
      [`conv${i + 1}`]: Conv2d(channels, filters, taps),
      [`relu${i + 1}`]: ReLU(),
      [`pool${i + 1}`]: MaxPool2d(2),
    });
    channels = filters;
  });
  const features = weightShapes(work).find(([name]) => name === 'fc1')![1][1]!;
  const model = Sequential({
    ...layers,
    flatten: Flatten(),
    fc1: Linear(features, work.hidden),
    relu3: ReLU(),
    fc2: Linear(work.hidden, 10),
  }).init({ gpu });
  return trainingStep(gpu, model.loadStateDict(parametersOf(work)), batchOf(work, 1, 28, 28), work);
}

/** A CIFAR ResNet's step. */
export function resnetStep(gpu: Gpu, work: WorkOf<'resnet'>): TrainingStep {
  const model = (work.depth === 20 ? resnet20() : resnet32()).init({ gpu, seed: 0 });
  return trainingStep(gpu, model, batchOf(work, 3, 32, 32), work);
}

/** The step of an l_infinity-distance net with its own loss. */
export function linfMlpStep(gpu: Gpu, work: WorkOf<'linf-mlp'>): TrainingStep {
  const model = linfDistMlp(work.widths, { p: work.p }).init({ gpu, seed: 0 });
  return trainingStep(
    gpu,
    model,
    batchOf(work, work.widths[0]!),
    work,
    linfMargin({ epsTrain: 0.3, scale: () => model.scale }),
  );
}

function batchOf({ batch }: Training, ...shape: number[]): Tensor {
  return tensor(values(batch * shape.reduce((a, b) => a * b, 1), 8), { shape: [batch, ...shape] });
}

function trainingStep(
  gpu: Gpu,
  model: Sequential,
  x: Tensor,
  { batch, lr, momentum }: Training,
  loss: Loss = crossEntropyLoss(),
): TrainingStep {
  const y = tensor(labels(batch, 10, 9), { dtype: 'i32' });
  const state = sgd({ lr, momentum }).for(model);
  let captured: Captured<Tensor> | null = null;
  const record = (): Tensor => {
    const value = loss(model.forward(x, { training: true }), y);
    for (const p of model.arena.parameters.values()) p.grad = null;
    backward(value);
    state.step();
    return value;
  };
  const next = (): Tensor => {
    if (captured) return captured.run();
    captured = capture(record, { gpu });
    return captured.value;
  };
  const call = async (): Promise<void> => {
    next();
    await gpu.sync();
  };
  return {
    call,
    result: () => firstLosses(async () => (await next().read())[0]!),
    prepare: () => prepare(record, { gpu }),
    async counts() {
      await call();
      await gpu.settle();
      for (let i = 0; i < 10; i++) await call();
      const before = { ...gpu.counters, buffers: gpu.buffersCreated };
      await call();
      const { dispatches, submits } = gpu.counters;
      const counts = {
        dispatches: dispatches - before.dispatches,
        submits: submits - before.submits,
        buffers: gpu.buffersCreated - before.buffers,
      };
      const [host, total]: [number[], number[]] = [[], []];
      for (let i = 0; i < STEPS; i++) {
        const start = performance.now();
        next();
        host.push(performance.now() - start);
        await gpu.sync();
        total.push(performance.now() - start);
      }
      return { ...counts, host: spread(host).median, encode: encodeTime(gpu, captured!), total: spread(total).median };
    },
    dispose() {
      captured?.dispose();
      state.dispose();
      loss.dispose();
      model.dispose();
      x.dispose();
      y.dispose();
    },
  };
}

/**
 * Mean time of a replay up to the submit, ms. What is encoded here is thrown away: the queue's `submit` is covered
 * meanwhile.
 */
function encodeTime({ device: { queue } }: Gpu, captured: Captured<unknown>): number {
  Object.defineProperty(queue, 'submit', { value: () => undefined, configurable: true });
  try {
    const start = performance.now();
    for (let i = 0; i < REPLAYS; i++) captured.run();
    return (performance.now() - start) / REPLAYS;
  } finally {
    delete (queue as Partial<GPUQueue>).submit;
  }
}

/** Certification of one image beside the bare forward pass of as many rows a batch. */
export function certification(gpu: Gpu, { net, batch, n0, n, sigma }: WorkOf<'certify'>): Record<string, Contestant> {
  const shape = net === 'lenet' ? [1, 28, 28] : [784];
  const model = (net === 'lenet' ? lenet() : mlp(...FIRST_MLP.widths)).init({ gpu, seed: 0 });
  const smooth = new Smooth(model, { numClasses: 10, sigma, gpu });
  const image = new NdArray(values(784, 10), [1, ...shape]);
  const x = tensor(values(batch * 784, 11), { shape: [batch, ...shape] });
  return {
    evenkeel: {
      items: n0 + n,
      call: async () => void (await smooth.certify(image, { n0, n, batchSize: batch })),
      result: null,
      dispose: () => smooth.dispose(),
    },
    forward: { ...replayed(gpu, () => [model.forward(x)], [x, model]), items: batch },
  };
}
