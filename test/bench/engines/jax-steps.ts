import * as jax from '@jax-js/jax';
import { firstLosses, labels, oneHot, parametersOf, permuted, values, type Contestant } from '../contestant.ts';
import type { Cnn, Mlp, Training } from '../workloads.ts';

const { numpy: np, nn, lax } = jax;
/** An array on the device. Calls consume their arguments; `.ref` keeps one. */
export type Values = jax.Array;

/** Opens jax-js's own device. */
export async function openDevice(): Promise<void> {
  const opened = await jax.init('webgpu');
  if (!opened.includes('webgpu')) throw new Error('jax-js found no WebGPU');
  jax.defaultDevice('webgpu');
}

/** Host numbers on the device. */
export function array(data: Float32Array<ArrayBuffer>, shape: readonly number[]): Values {
  return np.array(data, { shape: [...shape], dtype: np.float32 });
}

/** Waits for every result, then for the queue: work whose result nobody waits for is dropped. */
export async function finish(results: readonly Values[]): Promise<void> {
  await jax.blockUntilReady([...results]);
  await jax.getWebGPUDevice().queue.onSubmittedWorkDone();
}

/** Mean cross-entropy of logits and one-hot labels. */
export function crossEntropy(logits: Values, y: Values): Values {
  const rows = logits.shape[0]!;
  return np.sum(nn.logSoftmax(logits).mul(y)).mul(-1 / rows);
}

/** The MLP's training step, jitted as a whole. */
export function mlpStep(work: Mlp): Contestant {
  const layers = work.widths.length - 1;
  const x = array(values(work.batch * work.widths[0]!, 8), [work.batch, work.widths[0]!]);
  return trainingStep(startOf(work), x, work, (p, x) => {
    let h = x;
    for (let i = 0; i < layers; i++) {
      h = np.matmul(h, p[2 * i]!).add(p[2 * i + 1]!);
      if (i < layers - 1) h = nn.relu(h);
    }
    return h;
  });
}

/** The step of two convolutions and two linear layers. */
export function cnnStep(work: Cnn): Contestant {
  const x = array(values(work.batch * 784, 8), [work.batch, 1, 28, 28]);
  return trainingStep(startOf(work), x, work, (p, x) => {
    let h = x;
    work.convolutions.forEach(([filters], i) => {
      h = pool(nn.relu(lax.conv(h, p[2 * i]!, [1, 1], 'VALID').add(p[2 * i + 1]!.reshape([1, filters, 1, 1]))));
    });
    const [w1, b1, w2, b2] = p.slice(-4) as [Values, Values, Values, Values];
    return np.matmul(nn.relu(np.matmul(h.reshape([work.batch, -1]), w1).add(b1)), w2).add(b2);
  });
}

/** 2 x 2 max pooling. */
function pool(x: Values): Values {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
}

/** Linear weights as (in, out). */
function startOf(work: Mlp | Cnn): Values[] {
  return [...parametersOf(work).values()].map(({ data, shape }) =>
    shape.length === 2 ? array(permuted(data, shape, [1, 0]), [shape[1]!, shape[0]!]) : array(data, shape),
  );
}

function trainingStep(
  start: Values[],
  x: Values,
  { batch, lr, momentum }: Training,
  logits: (parameters: Values[], x: Values) => Values,
): Contestant {
  const y = array(oneHot(labels(batch, 10, 9), 10), [batch, 10]);
  const both = jax.valueAndGrad((parameters: Values[], x: Values, y: Values) => crossEntropy(logits(parameters, x), y));
  const step = jax.jit((parameters: Values[], velocity: Values[], x: Values, y: Values) => {
    const [loss, gradients] = both(
      parameters.map((p) => p.ref),
      x,
      y,
    );
    const moved = velocity.map((v, i) => v.mul(momentum).add(gradients[i]!));
    return [parameters.map((p, i) => p.sub(moved[i]!.ref.mul(lr))), moved, loss] as [Values[], Values[], Values];
  });
  let parameters = start;
  let velocity = start.map((p) => np.zeros(p.shape));
  const next = (): Values => {
    let loss: Values;
    [parameters, velocity, loss] = step(parameters, velocity, x.ref, y.ref);
    return loss;
  };
  return {
    async call() {
      const loss = next();
      await finish([loss, ...parameters, ...velocity]);
      loss.dispose();
    },
    result: () => firstLosses(async () => (await next().data())[0]!),
    dispose() {
      for (const t of [...parameters, ...velocity, x, y]) t.dispose();
      step.dispose();
    },
  };
}
