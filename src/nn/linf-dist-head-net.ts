import { expectOptions } from '../check/options.ts';
import { Flatten, Tanh } from './activation-layers.ts';
import type { Layer } from './layer.ts';
import { LinfDistNet, type LinfDistMlpOptions } from './linf-dist-mlp.ts';
import { SortDistLinear, type SortDistOptions } from './sort-net.ts';
import { DistancePower, LinfDistLinear, MeanShift } from './linf-dist.ts';
import { NtkLinear } from './ntk-linear.ts';

/** A distance net with a head of ordinary layers. */
export class LinfDistHeadNet extends LinfDistNet {
  /** Layers whose outputs are 1-Lipschitz in the l_infinity norm where `power` is infinite. */
  readonly features: readonly Layer[];
  /** Linear layers, with tanh between them. */
  readonly head: readonly NtkLinear[];

  constructor(features: Readonly<Record<string, Layer>>, head: Readonly<Record<string, Layer>>, power: DistancePower) {
    super({ ...features, ...head }, power);
    this.features = Object.values(features);
    this.head = Object.values(head).filter((layer): layer is NtkLinear => layer.kind === 'NtkLinear');
  }
}

/** Options of {@link linfDistHeadNet}. */
export interface LinfDistHeadNetOptions extends LinfDistMlpOptions, Pick<SortDistOptions, 'terms' | 'group'> {
  /**
   * Share of inputs that training keeps: makes all distance layers but the first those of SortNet. Default: none are.
   */
  keep?: number;
}

/**
 * `linfDistHeadNet([784, 5120, 5120, 5120, 5120], [256, 10])`: distance layers dist1, shift1, ..., each with a mean
 * shift, then linear layers head1, ..., in the neural-tangent form with tanh between: the "l-infinity-distance net +
 * MLP" of Zhang, Cai, Lu, He and Wang, ICML 2021; with `keep` the "SortNet + MLP" of Zhang, Jiang, He and Wang, NeurIPS
 * 2022. The features are 1-Lipschitz, the outputs are not: train by `linfHead`, certify by `certifyBounds`.
 * Throws RangeError on fewer than two sizes of the features or one of the head.
 */
export function linfDistHeadNet(
  sizes: readonly number[],
  head: readonly number[],
  options: LinfDistHeadNetOptions = {},
): LinfDistHeadNet {
  expectOptions('linfDistHeadNet', options, ['p', 'identity', 'keep', 'terms', 'group']);
  const { p = Infinity, identity = 10, keep, ...rest } = options;
  if (sizes.length < 2)
    throw new RangeError(`linfDistHeadNet: got ${sizes.length} sizes, expected at least the inputs and the features`);
  if (head.length < 1) throw new RangeError('linfDistHeadNet: the head has no sizes, expected at least the classes');
  const power = new DistancePower(p);
  const features: Record<string, Layer> = { flatten: Flatten() };
  for (let i = 1; i < sizes.length; i++) {
    const [from, to] = [sizes[i - 1]!, sizes[i]!];
    features[`dist${i}`] =
      keep === undefined || i === 1
        ? LinfDistLinear(from, to, { power, identity })
        : SortDistLinear(from, to, { ...rest, keep, power, identity });
    features[`shift${i}`] = MeanShift(sizes[i]!);
  }
  const layers: Record<string, Layer> = {};
  head.forEach((size, i) => {
    if (i > 0) layers[`tanh${i}`] = Tanh();
    layers[`head${i + 1}`] = NtkLinear(i === 0 ? sizes.at(-1)! : head[i - 1]!, size);
  });
  return new LinfDistHeadNet(features, layers, power);
}
