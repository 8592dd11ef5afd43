import { expectOptions } from '../check/options.ts';
import { Flatten } from './activation-layers.ts';
import { paramOf, type Layer } from './layer.ts';
import { Bias, DistancePower, LinfDistLinear, MeanShift, NegatedDistance } from './linf-dist.ts';
import { SequentialModel } from './sequential.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * An l_infinity-distance net: a model whose outputs g are 1-Lipschitz in the l_infinity norm when `power` is infinite.
 */
export class LinfDistNet extends SequentialModel {
  /** Shared by all layers; a schedule changes it. */
  readonly power: DistancePower;

  constructor(children: Readonly<Record<string, Layer>>, power: DistancePower) {
    super(children);
    this.power = power;
  }

  /** The factor s of the cross-entropy. Initialises if nobody did. */
  get scale(): Tensor {
    void this.arena;
    return paramOf(this.layers.at(-1)!, 'scale');
  }

  override dispose(): void {
    super.dispose();
    this.power.dispose();
  }
}

/** Options of {@link linfDistMlp}. */
export interface LinfDistMlpOptions {
  /** At the start. Default: Infinity. */
  p?: number;
  /** Starting weight of the identity in hidden layers that do not narrow; 0: none. Default: 10. */
  identity?: number;
}

/**
 * `linfDistMlp([784, 128, 128, 10])`: distance layers dist1, shift1, dist2, ... with mean shift between, a bias at the
 * end, and the sign turned. Zhang, Jiang, He and Wang, "Boosting the certified robustness of l-infinity distance nets",
 * ICLR 2022.
 */
export function linfDistMlp(sizes: readonly number[], options: LinfDistMlpOptions = {}): LinfDistNet {
  expectOptions('linfDistMlp', options, ['p', 'identity']);
  const { p = Infinity, identity = 10 } = options;
  if (sizes.length < 2)
    throw new RangeError(`linfDistMlp: got ${sizes.length} sizes, expected at least the inputs and the outputs`);
  const power = new DistancePower(p);
  return new LinfDistNet({ flatten: Flatten(), ...distanceLayers(sizes, { power, identity }) }, power);
}

/**
 * dist1, shift1, dist2, ... of given sizes, the first of them numbered `first`, with the bias and the turned sign at
 * the end.
 */
export function distanceLayers(
  sizes: readonly number[],
  { power, identity, first = 1 }: { power: DistancePower; identity: number; first?: number },
): Record<string, Layer> {
  const layers: Record<string, Layer> = {};
  const last = sizes.length - 1;
  for (let i = 1; i <= last; i++) {
    const at = first + i - 1;
    layers[`dist${at}`] = LinfDistLinear(sizes[i - 1]!, sizes[i]!, { power, identity: i < last ? identity : 0 });
    if (i < last) layers[`shift${at}`] = MeanShift(sizes[i]!);
  }
  layers.bias = Bias(sizes[last]!);
  layers.output = NegatedDistance();
  return layers;
}
