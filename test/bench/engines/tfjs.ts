import * as tf from '@tensorflow/tfjs-core';
import {
  joined,
  labels,
  alone,
  oneHot,
  permuted,
  valuesOf,
  type Contestant,
  type Engine,
  type Makers,
} from '../contestant.ts';
import { cnnStep, finish, mlpStep, openDevice } from './tfjs-steps.ts';

/** Opens tfjs. */
export async function openTfjs(): Promise<Engine> {
  await openDevice();
  return {
    name: 'tfjs',
    enter: alone('tfjs', MAKERS),
    held: () => tf.memory().numTensors,
  };
}

function random(shape: readonly number[], seed: number, scale = 1): tf.Tensor {
  return tf.tensor(valuesOf(shape, seed, scale), [...shape]);
}

/** Numbers of `shape` in the order of the other engines, on the device in tfjs's. */
function reordered(shape: readonly number[], seed: number, order: readonly number[]): tf.Tensor {
  const data = valuesOf(shape, seed);
  return tf.tensor(
    permuted(data, shape, order),
    order.map((i) => shape[i]!),
  );
}

type Read = (data: Float32Array, shape: number[]) => Float32Array;

/** `read` puts an output into the order of the other engines; there is one for each output that must agree. */
function repeated(inputs: readonly tf.Tensor[], f: () => tf.Tensor[], read: readonly Read[]): Contestant {
  return {
    async call() {
      const results = tf.tidy(f);
      await finish();
      for (const r of results) r.dispose();
    },
    async result() {
      const results = tf.tidy(f);
      const parts = await Promise.all(read.map(async (of, i) => of(await results[i]!.data(), results[i]!.shape)));
      for (const r of results) r.dispose();
      return joined(parts);
    },
    dispose() {
      for (const t of inputs) t.dispose();
    },
  };
}

const NHWC = [0, 2, 3, 1];
const HWIO = [2, 3, 1, 0];
const plain: Read = (data) => data;
const fromNhwc: Read = (data, shape) => permuted(data, shape, [0, 3, 1, 2]);
const fromHwio: Read = (data, shape) => permuted(data, shape, [3, 2, 0, 1]);

/** As evenkeel's: all gradients of L = sum(g f(inputs)), and L. */
function gradientsOf(
  inputs: tf.Tensor[],
  g: tf.Tensor,
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  read: readonly Read[],
): Contestant {
  const both = tf.valueAndGrads((...args) => tf.sum(tf.mul(f(...args), g)));
  return repeated(
    [...inputs, g],
    () => {
      const { value, grads } = both(inputs);
      return [...grads, value];
    },
    read,
  );
}

const MAKERS: Makers<Contestant> = {
  matmul({ m, n, k, transposeA, transposeB }) {
    const [a, b] = [random(transposeA ? [k, m] : [m, k], 1), random(transposeB ? [n, k] : [k, n], 2)];
    return repeated([a, b], () => [tf.matMul(a, b, transposeA, transposeB)], [plain]);
  },
  conv({ batch, channels, size, filters, taps, padding, gradients }) {
    const out = size + 2 * padding - taps + 1;
    const [x, w] = [
      reordered([batch, channels, size, size], 1, NHWC),
      reordered([filters, channels, taps, taps], 2, HWIO),
    ];
    const forward = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => tf.conv2d(x, w, 1, padding > 0 ? 'same' : 'valid');
    if (!gradients) return repeated([x, w], () => [forward(x, w)], [fromNhwc]);
    return gradientsOf([x, w], reordered([batch, filters, out, out], 3, NHWC), (x, w) => forward(x!, w!), [
      fromNhwc,
      fromHwio,
    ]);
  },
  softmax({ rows, classes }) {
    const [x, y] = [
      random([rows, classes], 3, 4),
      tf.tensor(oneHot(labels(rows, classes, 4), classes), [rows, classes]),
    ];
    const gradient = tf.grad((logits) => tf.losses.softmaxCrossEntropy(y, logits));
    return repeated([x, y], () => [gradient(x)], [plain]);
  },
  'batch-norm'({ batch, channels, size }) {
    const shape = [batch, channels, size, size];
    return gradientsOf(
      [reordered(shape, 1, NHWC), random([channels], 2), random([channels], 3)],
      reordered(shape, 4, NHWC),
      (x, weight, bias) => {
        const { mean, variance } = tf.moments(x!, [0, 1, 2]);
        return tf.batchNorm(x!, mean, variance, bias, weight, 1e-5);
      },
      [fromNhwc, plain, plain],
    );
  },
  reduce({ rows, columns }) {
    const x = random([rows, columns], 7);
    return repeated([x], () => [tf.sum(tf.square(x)), tf.mean(x, 0), tf.max(x, 1)], [plain, plain, plain]);
  },
  elementwise({ rows, columns }) {
    const [x, b] = [random([rows, columns], 5, 2), random([columns], 6)];
    return repeated(
      [x, b],
      () => [tf.sub(tf.mul(tf.tanh(tf.add(tf.mul(x, 0.5), b)), tf.sigmoid(x)), tf.exp(tf.mul(tf.square(x), -1)))],
      [plain],
    );
  },
  mlp: mlpStep,
  cnn: cnnStep,
};
