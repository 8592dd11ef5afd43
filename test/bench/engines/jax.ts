import * as jax from '@jax-js/jax';
import { joined, labels, alone, oneHot, valuesOf, type Contestant, type Engine, type Makers } from '../contestant.ts';
import { array, cnnStep, crossEntropy, finish, mlpStep, openDevice, type Values } from './jax-steps.ts';

const { numpy: np, nn, lax } = jax;

/** Opens jax-js. */
export async function openJax(): Promise<Engine> {
  await openDevice();
  return {
    name: 'jax-js',
    enter: alone('jax-js', MAKERS),
    held: () => 0, // it does not say
  };
}

function random(shape: readonly number[], seed: number, scale = 1): Values {
  return array(valuesOf(shape, seed, scale), shape);
}

/** `f` jitted on `inputs`; the first `compared` outputs are what the engines must agree on. */
function repeated(inputs: readonly Values[], f: (...inputs: Values[]) => Values[], compared = Infinity): Contestant {
  const jitted = jax.jit(f);
  const run = (): Values[] => jitted(...inputs.map((t) => t.ref));
  return {
    async call() {
      const results = run();
      await finish(results);
      for (const r of results) r.dispose();
    },
    async result() {
      const results = run();
      const parts = await Promise.all(results.slice(0, compared).map((r) => r.data()));
      for (const r of results.slice(compared)) r.dispose();
      return joined(parts);
    },
    dispose() {
      for (const t of inputs) t.dispose();
      jitted.dispose();
    },
  };
}

/** As evenkeel's: all gradients of L = sum(g f(inputs)), and L. */
function gradientsOf(inputs: readonly Values[], g: Values, f: (...inputs: Values[]) => Values): Contestant {
  const both = jax.valueAndGrad((args: Values[], g: Values) => np.sum(f(...args).mul(g)));
  return repeated(
    [...inputs, g],
    (...all) => {
      const [value, gradients] = both(all.slice(0, -1), all.at(-1)!);
      return [...gradients, value];
    },
    inputs.length,
  );
}

const MAKERS: Makers<Contestant> = {
  matmul({ m, n, k, transposeA, transposeB }) {
    const inputs = [random(transposeA ? [k, m] : [m, k], 1), random(transposeB ? [n, k] : [k, n], 2)];
    return repeated(inputs, (a, b) => [
      np.matmul(transposeA ? np.transpose(a!) : a!, transposeB ? np.transpose(b!) : b!),
    ]);
  },
  conv({ batch, channels, size, filters, taps, padding, gradients }) {
    const out = size + 2 * padding - taps + 1;
    const inputs = [random([batch, channels, size, size], 1), random([filters, channels, taps, taps], 2)];
    const forward = (x: Values, w: Values): Values => lax.conv(x, w, [1, 1], padding > 0 ? 'SAME' : 'VALID');
    return gradients
      ? gradientsOf(inputs, random([batch, filters, out, out], 3), (x, w) => forward(x!, w!))
      : repeated(inputs, (x, w) => [forward(x!, w!)]);
  },
  softmax({ rows, classes }) {
    const both = jax.valueAndGrad((x: Values, y: Values) => crossEntropy(x, y));
    return repeated(
      [random([rows, classes], 3, 4), array(oneHot(labels(rows, classes, 4), classes), [rows, classes])],
      (x, y) => [...both(x!, y!)].reverse(),
      1,
    );
  },
  'batch-norm'({ batch, channels, size }) {
    const shape = [batch, channels, size, size];
    const each = [1, channels, 1, 1];
    return gradientsOf(
      [random(shape, 1), random([channels], 2), random([channels], 3)],
      random(shape, 4),
      (x, weight, bias) => {
        const centred = x!.ref.sub(np.mean(x!, [0, 2, 3]).reshape(each));
        const variance = np.mean(centred.ref.mul(centred.ref), [0, 2, 3]).reshape(each);
        return centred
          .div(np.sqrt(variance.add(1e-5)))
          .mul(weight!.reshape(each))
          .add(bias!.reshape(each));
      },
    );
  },
  reduce({ rows, columns }) {
    return repeated([random([rows, columns], 7)], (x) => [
      np.sum(x!.ref.mul(x!.ref)),
      np.mean(x!.ref, 0),
      np.max(x!, 1),
    ]);
  },
  elementwise({ rows, columns }) {
    return repeated([random([rows, columns], 5, 2), random([columns], 6)], (x, b) => [
      np
        .tanh(x!.ref.mul(0.5).add(b!))
        .mul(nn.sigmoid(x!.ref))
        .sub(np.exp(x!.ref.mul(x!).mul(-1))),
    ]);
  },
  mlp: mlpStep,
  cnn: cnnStep,
};
