import { any, between, check, checkOptions, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { add, mul } from '../ops/binary.ts';
import { concat } from '../ops/concat.ts';
import { dropout } from '../ops/dropout.ts';
import { lpDistance } from '../ops/lp-distance.ts';
import { slice } from '../ops/slice.ts';
import { sortDistance } from '../ops/sort-distance.ts';
import { sign } from '../ops/unary.ts';
import { zeros, type Tensor } from '../tensor/tensor.ts';
import { Flatten } from './activation-layers.ts';
import { paramOf, type ForwardContext, type Layer } from './layer.ts';
import {
  Bias,
  DistancePower,
  distanceSpec,
  LinfDistLinear,
  MeanShift,
  NegatedDistance,
  type LinfDistOptions,
} from './linf-dist.ts';
import { LinfDistNet } from './linf-dist-mlp.ts';

/** Options of {@link SortDistLinear}. */
export interface SortDistOptions extends LinfDistOptions {
  /** Probability q that training keeps an input. Default: 0.75. */
  keep?: number;
  /** Largest terms that count in evaluation, 1 to 16. Default: 10. */
  terms?: number;
  /** Samples that share one set of inputs in training. Default: 32. */
  group?: number;
}

/** A fully connected layer of SortNet. */
export interface SortDistLinear extends Layer {
  readonly kind: 'SortDistLinear';
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly power: DistancePower;
  readonly keep: number;
  /** At most `inFeatures`. */
  readonly terms: number;
  readonly group: number;
}

/**
 * A weighted sum of the largest |x_i - w_oi| (`sortDistance`), which is the mean l_infinity distance over random sets
 * of inputs. Training takes the l_p distance over one such set for each `group` of samples, without any sorting;
 * evaluation at an infinite p takes the sum, at a finite p the l_p distance over all inputs. x: (batch, inFeatures),
 * `weight` (outFeatures, inFeatures) from N(0, 1). 1-Lipschitz in the l_infinity norm in evaluation at p = infinity.
 * Zhang, Jiang, He and Wang, "Rethinking Lipschitz neural networks and certified robustness", NeurIPS 2022.
 */
export function SortDistLinear(inFeatures: number, outFeatures: number, options: SortDistOptions = {}): SortDistLinear {
  checkOptions('SortDistLinear', options, {
    power: any,
    identity: any,
    keep: between(0, 1, '(]'),
    terms: integer(1, 16),
    group: integer(1),
  });
  const { power = new DistancePower(), identity = 0, keep = 0.75, terms = 10, group = 32 } = options;
  check('SortDistLinear', { inFeatures, outFeatures }, integer(1));
  const layer: SortDistLinear = {
    kind: 'SortDistLinear',
    inFeatures,
    outFeatures,
    power,
    keep,
    terms: Math.min(terms, inFeatures),
    group,
    params: {},
    specs: { weight: distanceSpec([outFeatures, inFeatures], identity) },
    isRandom: true,
    get graph() {
      return power.graph;
    },
    forward: (x, context = { training: false }) => {
      const weight = paramOf(layer, 'weight');
      if (context.training && keep < 1) return overSubsets(layer, x, weight, context);
      const p = power.operand(x.gpu, context);
      return p === Infinity && !context.training
        ? sortDistance(x, weight, { keep, terms: layer.terms })
        : lpDistance(x, weight, null, { p });
    },
  };
  return layer;
}

/**
 * l_p distances over the inputs that each group of samples keeps: a coordinate that is 0 on both sides adds nothing.
 */
function overSubsets(
  { keep, group, power, inFeatures }: SortDistLinear,
  x: Tensor,
  weight: Tensor,
  context: ForwardContext,
): Tensor {
  if (!context.random)
    throw new Error(
      'SortDistLinear: the context has no random numbers; put the layer in Sequential(), or pass `random`',
    );
  const rows = x.shape[0] ?? 0;
  const p = power.operand(x.gpu, context);
  const groups = Math.max(1, Math.ceil(rows / group));
  const kept = sign(dropout(add(zeros([groups, inFeatures], { gpu: x.gpu }), 1), context.random, { p: 1 - keep }));
  const parts = Array.from({ length: groups }, (_, i) => {
    const mask = slice(kept, { start: i, end: i + 1 });
    const part = groups === 1 ? x : slice(x, { start: i * group, end: (i + 1) * group });
    return lpDistance(mul(part, mask), mul(weight, mask), null, { p });
  });
  return parts.length === 1 ? parts[0]! : concat(parts);
}

/** Options of {@link sortNet}. */
export interface SortNetOptions {
  /** Power at the start. Default: Infinity. */
  p?: number;
  /** As in `linfDistMlp`; the authors take 10 on MNIST and 0 on CIFAR-10. Default: 10. */
  identity?: number;
  /** As in {@link SortDistLinear}. Default: 0.75. */
  keep?: number;
  /** As in {@link SortDistLinear}. Default: 10. */
  terms?: number;
  /** As in {@link SortDistLinear}. Default: 32. */
  group?: number;
}

/**
 * `sortNet([784, 128, 128, 10])`: as `linfDistMlp`, with `SortDistLinear` in place of every distance layer but the
 * first, which keeps all inputs. Call `recomputeMeans` with the training images before testing it: training means are
 * those of other distances. Same source.
 */
export function sortNet(sizes: readonly number[], options: SortNetOptions = {}): LinfDistNet {
  expectOptions('sortNet', options, ['p', 'identity', 'keep', 'terms', 'group']);
  const { p = Infinity, identity = 10, ...rest } = options;
  if (sizes.length < 2)
    throw new RangeError(`sortNet: got ${sizes.length} sizes, expected at least the inputs and the outputs`);
  const power = new DistancePower(p);
  const layers: Record<string, Layer> = { flatten: Flatten() };
  const last = sizes.length - 1;
  for (let i = 1; i <= last; i++) {
    const [inputs, outputs, options] = [sizes[i - 1]!, sizes[i]!, { power, identity: i < last ? identity : 0 }];
    layers[`dist${i}`] =
      i === 1 ? LinfDistLinear(inputs, outputs, options) : SortDistLinear(inputs, outputs, { ...rest, ...options });
    if (i < last) layers[`shift${i}`] = MeanShift(outputs);
  }
  layers.bias = Bias(sizes[last]!);
  layers.output = NegatedDistance();
  return new LinfDistNet(layers, power);
}
