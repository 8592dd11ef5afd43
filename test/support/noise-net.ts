import { tensor, type Tensor } from 'evenkeel';
import type { NoisyInputs } from 'evenkeel/objectives';
import { BatchNorm, Conv2d, Flatten, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { permute } from 'evenkeel/ops';
import { dense, flat, type GoldenCase } from './golden.ts';

/** The network of a case of smoothmix.json. */
export function netOf(c: GoldenCase): Sequential {
  const net = c.options.net as {
    architecture: string;
    inChannels: number;
    image: number;
    convChannels: number;
    classes: number;
  };
  const hidden = net.convChannels * net.image ** 2;
  const conv = Conv2d(net.inChannels, net.convChannels, 3, { padding: 1 });
  const rest = { relu: ReLU(), flatten: Flatten(), fc: Linear(hidden, net.classes) };
  const model = Sequential(
    net.architecture.includes('batchNorm') ? { conv, bn: BatchNorm(net.convChannels), ...rest } : { conv, ...rest },
  ).init({ seed: 0 });
  const state = new Map(
    Object.keys(c.inputs)
      .filter((n) => n.startsWith('net:'))
      .map((n) => [n.slice(4), dense(c.inputs[n])]),
  );
  if (model.namedBuffers.size > 0) state.set('bn.num_batches_tracked', { data: [0], shape: [] });
  return model.loadStateDict(state);
}

/** x, labels and noise times sigma of a case, and the passes of its network. */
export function inputsOf(c: GoldenCase, model: Sequential): NoisyInputs {
  return {
    ...passesOf(model),
    x: place(c.inputs.x),
    y: tensor(flat(c.inputs.target), { dtype: 'i32' }),
    noise: noiseOf(c),
  };
}

/** The two kinds of forward pass that an objective gets. */
export function passesOf(model: Sequential): Pick<NoisyInputs, 'forward' | 'evaluate'> {
  return {
    forward: (x) => model.forward(x, { training: true }),
    evaluate: (x) => model.forward(x, { training: false }),
  };
}

/** A golden tensor on the device. */
export function place(value: unknown): Tensor {
  const { data, shape } = dense(value);
  return tensor(data, { shape });
}

/** (m, batch, ...) of unit variance in the file, or (batch, ...); (batch, m, ...) of deviation sigma here. */
function noiseOf(c: GoldenCase): Tensor {
  const { data, shape } = dense(c.inputs.noise);
  const sigma = c.options.sigma as number;
  const single = shape.length === (c.inputs.x as { shape: number[] }).shape.length;
  const all = tensor(
    data.map((v) => v * sigma),
    { shape: single ? [1, ...shape] : shape },
  );
  return permute(all, [1, 0, 2, 3, 4]);
}
