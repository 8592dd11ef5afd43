import type { Layer } from '../../nn/layer.ts';
import type {
  BatchNorm,
  Bias,
  Conv2d,
  CosineLinear,
  ELU,
  GELU,
  GroupNorm,
  LayerNorm,
  LeakyReLU,
  Linear,
  LinfDistConv2d,
  LinfDistLinear,
  NormalizeInput,
  NtkLinear,
  Pool2d,
  Residual,
  SortDistLinear,
} from '../../nn/index.ts';
import { ntkWeight } from '../../nn/ntk-linear.ts';
import { add, div, maximum, minimum, mul, sub } from '../../ops/binary.ts';
import { conv2d } from '../../ops/conv2d.ts';
import { infDistanceBounds } from '../../ops/lp-distance.ts';
import { linear } from '../../ops/matmul.ts';
import { normalize } from '../../ops/normalize.ts';
import { permute } from '../../ops/permute.ts';
import { max, mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { sortDistanceBounds } from '../../ops/sort-distance.ts';
import { abs, clamp, neg, sqrt, square } from '../../ops/unary.ts';
import { unfold } from '../../ops/unfold.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { CURVE, LARGEST, SINGLE, sumError, sure, sureUpper, TINY, widen, type Interval } from '../f32-error.ts';

/** Bounds of a layer's outputs from bounds of its inputs. */
type Rule = (layer: Layer, x: Interval) => Interval;

const EVALUATION = { training: false } as const;

/** The larger of |lower| and |upper|. */
export function largest({ lower, upper }: Interval): Tensor {
  return maximum(abs(lower), abs(upper));
}

/** A numbers-a-channel tensor, so that it broadcasts over (batch, channels, ...). */
export function perChannel(v: Tensor, rank: number): Tensor {
  return reshape(v, [v.size, ...Array.from({ length: rank - 2 }, () => 1)]);
}

/** y = a x + b in any arrangement: `apply(x, weight, b)` is the layer, linear in x, with `terms` products an output. */
function affine(
  { lower, upper }: Interval,
  weight: Tensor,
  bias: Tensor | null,
  terms: number,
  apply: (x: Tensor, w: Tensor, b: Tensor | null) => Tensor,
): Interval {
  const error = sumError(terms);
  const size = largest({ lower, upper });
  const centre = apply(mul(add(lower, upper), 0.5), weight, bias);
  const reach = add(mul(sub(upper, lower), 0.5), add(mul(size, error), TINY));
  const radius = apply(reach, abs(weight), bias && add(mul(abs(bias), error), TINY));
  return { lower: sub(centre, radius), upper: add(centre, radius) };
}

/** The function of a layer where it never falls. */
const rising: Rule = (layer, { lower, upper }) => ({
  lower: layer.forward(lower, EVALUATION),
  upper: layer.forward(upper, EVALUATION),
});

/** A curve that never falls. */
const risingCurve: Rule = (layer, x) => widen(rising(layer, x), CURVE, CURVE);

/** A curve that falls up to `at` and rises from there. */
const dipping =
  (at: number): Rule =>
  (layer, { lower, upper }) =>
    widen(
      {
        lower: layer.forward(minimum(maximum(lower, at), upper)),
        upper: maximum(sureUpper(layer.forward(lower)), sureUpper(layer.forward(upper))),
      },
      CURVE,
      CURVE,
    );

/** v weight + bias with a weight of either sign; `weight`, `bias` and the size of the terms of `bias` broadcast. */
function scaled(v: Interval, weight: Tensor | null, bias: Tensor | null, biasSize = bias && abs(bias)): Interval {
  if (!weight || !bias || !biasSize) return v;
  const [a, b] = [mul(v.lower, weight), mul(v.upper, weight)];
  const size = add(mul(largest(v), abs(weight)), biasSize);
  return widen({ lower: add(minimum(a, b), bias), upper: add(maximum(a, b), bias) }, 0, mul(size, sumError(2)));
}

/** Bounds of v / length, where `length` lies between two positive bounds. */
function over(v: Interval, length: Interval): Interval {
  const part = (t: Tensor, small: Tensor, large: Tensor): Tensor =>
    add(div(maximum(t, 0), small), div(minimum(t, 0), large));
  // A length that overflowed is at least the largest number.
  const least = minimum(length.lower, LARGEST);
  return { lower: neg(part(neg(v.lower), least, length.upper)), upper: part(v.upper, least, length.upper) };
}

/** Bounds of the squares of numbers in an interval. */
function squares(v: Interval): Interval {
  return { lower: square(maximum(maximum(v.lower, neg(v.upper)), 0)), upper: square(largest(v)) };
}

function within(bounds: Interval, limit: number): Interval {
  const v = sure(bounds);
  return { lower: clamp(v.lower, -limit, limit), upper: clamp(v.upper, -limit, limit) };
}

/**
 * (x - mean) / sqrt(var + eps) over the last axis. x_i counts 1/n of its own mean, and no result exceeds sqrt(n - 1).
 */
function standardized(x: Interval, eps: number): Interval {
  const n = x.lower.shape.at(-1)!;
  const average = (t: Tensor): Tensor => mean(t, { axes: -1, keepDim: true });
  const error = sumError(n);
  const share = mul(sub(x.upper, x.lower), 1 / n);
  const size = max(largest(x), { axes: -1, keepDim: true });
  const centred = sure(
    widen(
      { lower: add(sub(x.lower, average(x.upper)), share), upper: sub(sub(x.upper, average(x.lower)), share) },
      0,
      mul(size, error),
    ),
  );
  const { lower, upper } = squares(centred);
  const spread = {
    lower: mul(sqrt(add(average(lower), eps)), 1 - error),
    upper: mul(sqrt(add(average(upper), eps)), 1 + error),
  };
  return within(widen(over(centred, spread), error, TINY), Math.sqrt(n - 1) * (1 + error) + error);
}

/** Rearranged, bounded, and arranged as before. */
function through(
  { lower, upper }: Interval,
  change: (t: Tensor) => Tensor,
  bound: (v: Interval) => Interval,
): Interval {
  const y = bound({ lower: change(lower), upper: change(upper) });
  return { lower: reshape(y.lower, lower.shape), upper: reshape(y.upper, upper.shape) };
}

const averaged =
  (terms: (layer: Layer, x: Interval) => number): Rule =>
  (layer, x) =>
    widen(rising(layer, x), 0, mul(layer.forward(largest(x), EVALUATION), sumError(terms(layer, x))));

function expectInfinite(kind: string, power: { value: number }): void {
  if (power.value !== Infinity)
    throw new RangeError(
      `intervalBounds: ${kind} has p ${power.value}, expected Infinity; call model.power.set(Infinity)`,
    );
}

/** ||x - w||_inf for p = infinity; its terms are single differences. */
function distances(kind: string, power: { value: number }, x: Interval, w: Tensor): Interval {
  expectInfinite(kind, power);
  return widen(infDistanceBounds(x.lower, x.upper, w), SINGLE, TINY);
}

const chain: Rule = (layer, x) => Object.values(layer.children!).reduce((now, child) => intervalBounds(child, now), x);

/** Bounds of a + b. */
export function summed(a: Interval, b: Interval): Interval {
  return sure(
    widen({ lower: add(a.lower, b.lower), upper: add(a.upper, b.upper) }, 0, mul(add(largest(a), largest(b)), SINGLE)),
  );
}

/** Rules by kind of layer. */
const RULES: Readonly<Record<string, Rule>> = {
  Sequential: chain,
  Flatten: rising,
  Dropout: (_, x) => x,
  PadShortcut: rising,
  ReLU: rising,
  MaxPool2d: rising,
  Sigmoid: risingCurve,
  Tanh: risingCurve,
  Softplus: risingCurve,
  LeakyReLU: (layer, x) => ((layer as LeakyReLU).negativeSlope >= 0 ? risingCurve : dipping(0))(layer, x),
  ELU: (layer, x) => ((layer as ELU).alpha >= 0 ? risingCurve : dipping(0))(layer, x),
  SiLU: dipping(-1.2784645427610738),
  GELU: (layer, x) =>
    dipping((layer as GELU).approximate === 'tanh' ? -0.7524614220710162 : -0.7517915246935645)(layer, x),
  AvgPool2d: averaged((layer) => sizeOf((layer as Pool2d).kernelSize)),
  AdaptiveAvgPool2d: averaged((_, x) => sizeOf(x.lower.shape.slice(2))),
  Linear: (layer, x) =>
    affine(x, layer.params.weight!, layer.params.bias ?? null, (layer as Linear).inFeatures, (v, w, b) =>
      linear(v, w, b),
    ),
  NtkLinear: (layer, x) =>
    affine(x, ntkWeight(layer as NtkLinear), layer.params.bias!, (layer as NtkLinear).inFeatures, (v, w, b) =>
      linear(v, w, b),
    ),
  Conv2d: (layer, x) => {
    const { stride, padding, dilation, groups } = layer as Conv2d;
    const { weight, bias } = layer.params;
    return affine(x, weight!, bias ?? null, sizeOf(weight!.shape.slice(1)), (v, w, b) =>
      conv2d(v, w, b, { stride, padding, dilation, groups }),
    );
  },
  CosineLinear: (layer, x) => {
    const { inFeatures, scale } = layer as CosineLinear;
    const error = sumError(inFeatures);
    const product = sure(affine(x, normalize(layer.params.weight!), null, inFeatures, (v, w) => linear(v, w)));
    const { lower, upper } = squares(x);
    const length = (t: Tensor, factor: number): Tensor =>
      mul(maximum(sqrt(sum(t, { axes: -1, keepDim: true })), 1e-12), factor);
    const cosine = within(
      widen(over(product, { lower: length(lower, 1 - error), upper: length(upper, 1 + error) }), error, error),
      1 + error,
    );
    return { lower: mul(cosine.lower, scale), upper: mul(cosine.upper, scale) };
  },
  BatchNorm: (layer, x) => {
    const { scale, shift, size } = normOf(layer as BatchNorm, x.lower.rank);
    return scaled(x, scale, shift, size);
  },
  NormalizeInput: (layer, x) => {
    const { scale, shift, size } = pixelScale(layer as NormalizeInput, x.lower.rank);
    return scaled(x, scale, shift, size);
  },
  LayerNorm: (layer, x) => {
    const { normalizedShape, eps } = layer as LayerNorm;
    const y = through(
      x,
      (t) => reshape(t, [-1, sizeOf(normalizedShape)]),
      (v) => standardized(v, eps),
    );
    return scaled(y, layer.params.weight ?? null, layer.params.bias ?? null);
  },
  GroupNorm: (layer, x) => {
    const { groups, eps } = layer as GroupNorm;
    const { weight, bias } = layer.params;
    const [batch] = x.lower.shape as [number];
    const y = through(
      x,
      (t) => reshape(t, [batch * groups, -1]),
      (v) => standardized(v, eps),
    );
    return scaled(y, weight ? perChannel(weight, x.lower.rank) : null, bias ? perChannel(bias, x.lower.rank) : null);
  },
  ClassScale: (layer, x) => {
    const { scale, bias } = layer.params;
    return scaled(x, scale!, bias ?? mul(scale!, 0));
  },
  MeanShift: (layer, x) => widen(rising(layer, x), SINGLE, TINY),
  Bias: (layer, x) => widen(rising(layer as Bias, x), SINGLE, TINY),
  NegatedDistance: (_, { lower, upper }) => ({ lower: neg(upper), upper: neg(lower) }),
  LinfDistLinear: (layer, x) => distances(layer.kind, (layer as LinfDistLinear).power, x, layer.params.weight!),
  LinfDistConv2d: (layer, x) => {
    const { kernelSize, stride, padding, power } = layer as LinfDistConv2d;
    const { weight } = layer.params;
    const [batch, , height, width] = x.lower.shape as [number, number, number, number];
    const size = (of: number, at: 0 | 1): number =>
      Math.floor((of + 2 * padding[at] - kernelSize[at]) / stride[at]) + 1;
    const patches = (t: Tensor): Tensor => permute(unfold(t, kernelSize, { stride, padding }), [0, 2, 1]);
    const y = distances(
      layer.kind,
      power,
      { lower: patches(x.lower), upper: patches(x.upper) },
      reshape(weight!, [weight!.shape[0]!, -1]),
    );
    const images = (t: Tensor): Tensor => reshape(permute(t, [0, 2, 1]), [batch, -1, size(height, 0), size(width, 1)]);
    return { lower: images(y.lower), upper: images(y.upper) };
  },
  SortDistLinear: (layer, x) => {
    const { power, keep, terms } = layer as SortDistLinear;
    expectInfinite(layer.kind, power);
    return widen(sortDistanceBounds(x.lower, x.upper, layer.params.weight!, { keep, terms }), sumError(terms), TINY);
  },
  Residual: (layer, x) => {
    const { main, shortcut, activation } = layer as Residual;
    const [a, b] = [intervalBounds(main, x), shortcut ? intervalBounds(shortcut, x) : x];
    const y = summed(a, b);
    return activation === 'relu' ? { lower: maximum(y.lower, 0), upper: maximum(y.upper, 0) } : y;
  },
};

/**
 * A batch norm layer in evaluation as y = scale x + shift, and the size of the terms of the shift; all broadcast
 * over x.
 */
export function normOf(
  { buffers, params, eps }: BatchNorm,
  rank: number,
): { scale: Tensor; shift: Tensor; size: Tensor } {
  const spread = sqrt(add(buffers.running_var as Tensor, eps));
  const scale = params.weight ? div(params.weight, spread) : div(1, spread);
  const moved = mul(buffers.running_mean as Tensor, scale);
  const shift = params.bias ? sub(params.bias, moved) : neg(moved);
  const size = params.bias ? add(abs(params.bias), abs(moved)) : abs(moved);
  return { scale: perChannel(scale, rank), shift: perChannel(shift, rank), size: perChannel(size, rank) };
}

/** The same of a layer (x - mean) / std. */
export function pixelScale({ buffers }: NormalizeInput, rank: number): { scale: Tensor; shift: Tensor; size: Tensor } {
  const scale = div(1, buffers.std!);
  const shift = neg(mul(buffers.mean!, scale));
  return { scale: perChannel(scale, rank), shift: perChannel(shift, rank), size: perChannel(abs(shift), rank) };
}

/**
 * Interval bound propagation (Gowal et al., 2018): bounds of the outputs of a model, or of one layer, in evaluation
 * mode, for all inputs with lower <= x <= upper, any shape (batch, ...). Sound in floating point: every rule is widened
 * by a bound on the rounding of its own arithmetic and of the layer's, for sums in any order, so that they hold for the
 * net in real numbers and for the net as the device computes it. A bound that is NaN or overflows becomes -Infinity or
 * Infinity: nothing is known. Throws TypeError at a layer without a rule or in mixed precision, RangeError at a
 * distance layer of finite p.
 */
export function intervalBounds(model: Layer, input: Interval): Interval {
  const rule = RULES[model.kind];
  if ((model as Linear | Conv2d).precision === 'mixed')
    throw new TypeError(
      `intervalBounds: ${model.kind} multiplies in mixed precision, whose rounding no rule accounts for, expected a ` +
        "layer without precision: 'mixed'",
    );
  if (rule) return sure(rule(model, sure(input)));
  if (model.kind === 'Embedding')
    throw new TypeError(
      'intervalBounds: Embedding takes integers, between which there is nothing; bound the layers after it',
    );
  throw new TypeError(`intervalBounds: there is no rule for a layer of kind ${model.kind}`);
}
