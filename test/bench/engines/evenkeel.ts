import { init, tensor, valueAndGrad, type Gpu, type Tensor } from 'evenkeel';
import {
  add,
  batchNorm,
  conv2d,
  crossEntropy,
  exp,
  lpDistance,
  matmul,
  max,
  mean,
  mul,
  sigmoid,
  square,
  sub,
  sum,
  tanh,
} from 'evenkeel/ops';
import { joined, labels, made, valuesOf, type Contestant, type Engine, type Makers } from '../contestant.ts';
import { certification, cnnStep, linfMlpStep, mlpStep, replayed, resnetStep } from './evenkeel-steps.ts';

/** Opens a device. */
export async function openEvenkeel(adapter?: 'hardware' | 'software'): Promise<Engine & { gpu: Gpu }> {
  const gpu = await init(adapter ? { adapter } : {});
  const makers = makersFor(gpu);
  return {
    name: 'evenkeel',
    gpu,
    enter: (work) => made(makers, work) ?? {},
    settle: () => gpu.settle(),
    held: () => gpu.memory().live,
  };
}

function random(shape: readonly number[], seed: number, scale = 1): Tensor {
  return tensor(valuesOf(shape, seed, scale), { shape });
}

/**
 * dL/dt of L = sum(g f(t)), in the order of `inputs`: the gradients for a given dy, and the forward pass that L needs.
 */
function gradientsOf(inputs: readonly Tensor[], g: Tensor, f: (...inputs: Tensor[]) => Tensor): () => Tensor[] {
  const both = valueAndGrad((args: readonly Tensor[]) => sum(mul(f(...args), g)));
  return () => {
    const { value, gradient } = both(inputs);
    return [...gradient, value];
  };
}

function makersFor(gpu: Gpu): Makers<Record<string, Contestant>> {
  /** `compared`: how many of the outputs the engines must agree on. */
  const replay = (step: () => Tensor[], inputs: readonly { dispose(): void }[], compared = Infinity): Contestant => {
    const contestant = replayed(gpu, step, inputs);
    return { ...contestant, result: async () => joined((await contestant.outputs()).slice(0, compared)) };
  };
  /** `forward` of two inputs or, with `gradients`, their gradients for dy = g. */
  const passOf = (
    [a, b]: readonly [Tensor, Tensor],
    g: Tensor,
    forward: (a: Tensor, b: Tensor) => Tensor,
    gradients: boolean,
  ): Contestant =>
    replay(
      gradients ? gradientsOf([a, b], g, forward as (...inputs: Tensor[]) => Tensor) : () => [forward(a, b)],
      [a, b, g],
      gradients ? 2 : 1,
    );
  return {
    matmul({ m, n, k, transposeA, transposeB }) {
      const a = random(transposeA ? [k, m] : [m, k], 1);
      const b = random(transposeB ? [n, k] : [k, n], 2);
      return { evenkeel: replay(() => [matmul(a, b, { transposeA, transposeB })], [a, b]) };
    },
    conv({ batch, channels, size, filters, taps, padding, gradients }) {
      const out = size + 2 * padding - taps + 1;
      const [x, w, g] = [
        random([batch, channels, size, size], 1),
        random([filters, channels, taps, taps], 2),
        random([batch, filters, out, out], 3),
      ];
      const forward = (x: Tensor, w: Tensor): Tensor => conv2d(x, w, null, { padding });
      return { evenkeel: passOf([x, w], g, forward, gradients) };
    },
    distance({ m, n, k, p, gradients }) {
      const [a, b, g] = [random([m, k], 1), random([n, k], 2), random([m, n], 3)];
      const [c, d] = [random([m, k], 1), random([n, k], 2)];
      const forward = (a: Tensor, b: Tensor): Tensor => lpDistance(a, b, null, { p });
      return {
        evenkeel: passOf([a, b], g, forward, gradients),
        matmul: { ...replay(() => [matmul(c, d, { transposeB: true })], [c, d]), result: null },
      };
    },
    softmax({ rows, classes }) {
      const x = random([rows, classes], 3, 4);
      const y = tensor(labels(rows, classes, 4), { dtype: 'i32' });
      const both = valueAndGrad((logits: Tensor) => crossEntropy(logits, y));
      return { evenkeel: replay(() => [both(x).gradient as Tensor], [x, y]) };
    },
    'batch-norm'({ batch, channels, size }) {
      const shape = [batch, channels, size, size];
      const [x, weight, bias, g] = [random(shape, 1), random([channels], 2), random([channels], 3), random(shape, 4)];
      return {
        evenkeel: replay(
          gradientsOf([x, weight, bias], g, (x, w, b) => batchNorm(x, w, b, { training: true })),
          [x, weight, bias, g],
          3,
        ),
      };
    },
    reduce({ rows, columns }) {
      const x = random([rows, columns], 7);
      return { evenkeel: replay(() => [sum(square(x)), mean(x, { axes: 0 }), max(x, { axes: 1 })], [x]) };
    },
    elementwise({ rows, columns }) {
      const [x, b] = [random([rows, columns], 5, 2), random([columns], 6)];
      return {
        evenkeel: replay(() => [sub(mul(tanh(add(mul(x, 0.5), b)), sigmoid(x)), exp(mul(square(x), -1)))], [x, b]),
      };
    },
    mlp: (work) => ({ evenkeel: mlpStep(gpu, work) }),
    cnn: (work) => ({ evenkeel: cnnStep(gpu, work) }),
    resnet: (work) => ({ evenkeel: resnetStep(gpu, work) }),
    'linf-mlp': (work) => ({ evenkeel: linfMlpStep(gpu, work) }),
    certify: (work) => certification(gpu, work),
  };
}
