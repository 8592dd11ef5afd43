import { check } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { labelsOf, marked, type CleanLabels, type NoisyLabels } from './label-noise.ts';
import type { NoiseDraw } from './noise-streams.ts';
import type { Transition } from './transition.ts';

/** One model of a composition: noise of `data`, whose labels are those that the models before it left. */
export type NoiseStep<D extends CleanLabels> = (
  data: D,
  draw: Required<NoiseDraw>,
) => NoisyLabels & { transition?: Transition };

/** Labels that several models have changed, one after the other. */
export interface ComposedNoise extends NoisyLabels {
  /** The product of the transitions, T[clean][noisy]; undefined when a model has none. */
  transition: Transition | undefined;
}

/**
 * Noise models one after the other, drawn independently also where a model comes twice:
 * `composeNoise(train, [(d, draw) => symmetricNoise(d, { rate: 0.2, ...draw }), (d, draw) => pairFlipNoise(d, draw)])`.
 * The mask marks what differs from the labels of `data`.
 */
export function composeNoise<D extends CleanLabels>(
  data: D,
  steps: readonly NoiseStep<D>[],
  options: { seed?: number } = {},
): ComposedNoise {
  expectOptions('composeNoise', options, ['seed']);
  const { seed = 0 } = options;
  check('composeNoise', { y: data.y }, labelsOf(data.numClasses));
  let y = Int32Array.from(data.y);
  let transition: Transition | undefined = Array.from({ length: data.numClasses }, (_, i) =>
    Array.from({ length: data.numClasses }, (_, j) => Number(i === j)),
  );
  steps.forEach((step, stream) => {
    const noise = step({ ...data, y }, { seed, stream });
    y = Int32Array.from(noise.y);
    transition = transition && noise.transition && product(transition, noise.transition);
  });
  return { ...marked(data, y), transition };
}

function product(a: Transition, b: Transition): Transition {
  return a.map((row) => b.map((_, j) => row.reduce((sum, p, k) => sum + p * b[k]![j]!, 0)));
}
