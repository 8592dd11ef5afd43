import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
import '@tensorflow/tfjs-backend-webgpu';
import { firstLosses, labels, oneHot, parametersOf, permuted, values, type Contestant } from '../contestant.ts';
import { weightShapes, type Cnn, type Mlp, type Training } from '../workloads.ts';

/** Opens tfjs's own device. */
export async function openDevice(): Promise<void> {
  if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs found no WebGPU');
  await tf.ready();
}

/** Sends what is still batched, and waits for the device. An encoder must not be finished inside its pass. */
export async function finish(): Promise<void> {
  const backend = tf.backend() as unknown as tf.WebGPUBackend;
  if (backend.commandEncoder) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
  await backend.queue.onSubmittedWorkDone();
}

/** The MLP's training step by `optimizer.minimize`. */
export function mlpStep(work: Mlp): Contestant {
  const variables = [...parametersOf(work).values()].map(({ data, shape }) => variable(data, shape));
  const x = tf.tensor(values(work.batch * work.widths[0]!, 8), [work.batch, work.widths[0]!]);
  const layers = work.widths.length - 1;
  return trainingStep(variables, x, work, () => {
    let h = x;
    for (let i = 0; i < layers; i++) {
      h = tf.add(tf.matMul(h, variables[2 * i]!), variables[2 * i + 1]!);
      if (i < layers - 1) h = tf.relu(h);
    }
    return h;
  });
}

/** NHWC, tfjs's own layout: filters and the rows of the first linear layer are permuted to it. */
export function cnnStep(work: Cnn): Contestant {
  const [, [filters]] = work.convolutions as [unknown, [number, number]];
  const features = weightShapes(work).find(([name]) => name === 'fc1')![1][1]!;
  const side = Math.sqrt(features / filters);
  const variables = [...parametersOf(work)].map(([name, { data, shape }]) => {
    if (name !== 'fc1.weight') return variable(data, shape);
    return variable(
      permuted(permuted(data, [work.hidden, filters, side, side], [0, 2, 3, 1]), shape, [1, 0]),
      [features, work.hidden],
      true,
    );
  });
  const x = tf.tensor(values(work.batch * 784, 8), [work.batch, 28, 28, 1]);
  return trainingStep(variables, x, work, () => {
    let h = x;
    work.convolutions.forEach((_, i) => {
      h = tf.maxPool(
        tf.relu(tf.add(tf.conv2d(h, variables[2 * i]!, 1, 'valid'), variables[2 * i + 1]!)),
        2,
        2,
        'valid',
      );
    });
    const [w1, b1, w2, b2] = variables.slice(-4) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    return tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(tf.reshape(h, [work.batch, features]), w1), b1)), w2), b2);
  });
}

/** A parameter in tfjs's layout: linear (in, out), filters (kh, kw, in, out); `ready` where it is that already. */
function variable(data: Float32Array<ArrayBuffer>, shape: readonly number[], ready = false): tf.Tensor {
  const order = ready || shape.length === 1 ? shape.map((_, i) => i) : shape.length === 2 ? [1, 0] : [2, 3, 1, 0];
  const start = tf.tensor(
    permuted(data, shape, order),
    order.map((i) => shape[i]!),
  );
  const made = tf.variable(start);
  start.dispose();
  return made;
}

function trainingStep(
  variables: tf.Tensor[],
  x: tf.Tensor,
  { batch, lr, momentum }: Training,
  logits: () => tf.Tensor,
): Contestant {
  const y = tf.tensor(oneHot(labels(batch, 10, 9), 10), [batch, 10]);
  const optimizer = tf.train.momentum(lr, momentum);
  const next = (): tf.Tensor => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, logits()), true, variables)!;
  return {
    async call() {
      const loss = next();
      await finish();
      loss.dispose();
    },
    result: () =>
      firstLosses(async () => {
        const loss = next();
        const [value] = await loss.data();
        loss.dispose();
        return value!;
      }),
    dispose() {
      optimizer.dispose();
      // The scalar of the class it extends, which its own dispose forgets.
      (optimizer as unknown as { c: tf.Tensor }).c.dispose();
      for (const t of [...variables, x, y]) t.dispose();
    },
  };
}
