import { expectOptions } from '../../check/options.ts';
import { ShapeError } from '../../gpu/errors.ts';
import {
  ReLU,
  type BatchNorm,
  type Conv2d,
  type NormalizeInput,
  type NtkLinear,
  type Residual,
} from '../../nn/index.ts';
import type { Layer } from '../../nn/layer.ts';
import { ntkWeight } from '../../nn/ntk-linear.ts';
import { add, div, expand, maximum, minimum, mul, sub } from '../../ops/binary.ts';
import { cast } from '../../ops/cast.ts';
import { greater } from '../../ops/compare.ts';
import { conv2d } from '../../ops/conv2d.ts';
import { convTranspose2d } from '../../ops/conv-transpose2d.ts';
import { linear, matmul } from '../../ops/matmul.ts';
import { concat } from '../../ops/concat.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { pad } from '../../ops/pad.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { abs, neg } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { gradients, requireGrad, withGrad } from '../../tensor/tape.ts';
import { zeros, type Tensor } from '../../tensor/tensor.ts';
import { intervalBounds, largest, normOf, perChannel, pixelScale, summed } from './interval.ts';
import { EPSILON, sumError, sure, sureLower, type Interval } from '../f32-error.ts';

/** A layer and the bounds of its inputs, (batch, ...). */
interface Step {
  layer: Layer;
  input: Interval;
  /** Of a residual layer: its paths, without the relu after their sum, and the bounds of their outputs. */
  paths?: readonly { steps: readonly Step[]; output: Interval }[];
}

/**
 * Lower bounds of rows of functions: coefficients z + constant <= the functions. coefficients: (batch, rows, n),
 * constant: (batch, rows).
 */
interface Plane {
  coefficients: Tensor;
  constant: Tensor;
}

/** How the inputs of relus are bounded: by intervals alone, or each by planes too. */
export type CrownMethod = 'crown-ibp' | 'crown';

/** Coefficients held at a time while the inputs of relus are bounded by planes. */
const MOST = 2 ** 22;

const rowsOf = (t: Tensor): Tensor => reshape(t, [t.shape[0]!, 1, -1]);

/** sum_n a[b, r, n] v[b, n] */
function dotted(a: Tensor, v: Tensor): Tensor {
  return reshape(matmul(a, reshape(v, [v.shape[0]!, -1, 1])), a.shape.slice(0, 2));
}

/** Takes off the constant what sums of `terms` products, of size |coefficients| . size, may err. */
function lessError(constant: Tensor, coefficients: Tensor, size: Tensor, terms: number): Tensor {
  return sub(constant, mul(dotted(abs(coefficients), size), sumError(terms)));
}

type Back = (plane: Plane, step: Step) => Plane;

/** Through z = W x + b: the plane over x. The size of z bounds the rounding of the layer and of the product here. */
const throughLinear: Back = ({ coefficients, constant }, { layer, input }) => {
  const { bias } = layer.params;
  const weight = layer.kind === 'NtkLinear' ? ntkWeight(layer as NtkLinear) : layer.params.weight!;
  const [batch, rows, out] = coefficients.shape as [number, number, number];
  const flat = reshape(coefficients, [batch * rows, out]);
  const size = linear(largest(input), abs(weight), bias ? abs(bias) : null);
  const moved = bias ? add(constant, reshape(matmul(flat, bias), [batch, rows])) : constant;
  return {
    coefficients: reshape(matmul(flat, weight), [batch, rows, -1]),
    constant: lessError(moved, coefficients, size, Math.max(out, weight.shape[1]!)),
  };
};

const throughConv2d: Back = ({ coefficients, constant }, { layer, input }) => {
  const { stride, padding, dilation, groups } = layer as Conv2d;
  const { weight, bias } = layer.params;
  const [batch, rows] = coefficients.shape as [number, number];
  const size = conv2d(largest(input), abs(weight!), bias ? abs(bias) : null, { stride, padding, dilation, groups });
  const [, filters, outH, outW] = size.shape as [number, number, number, number];
  const inside = input.lower.shape.slice(2);
  const kernel = weight!.shape.slice(2);
  const images = reshape(coefficients, [batch * rows, filters, outH, outW]);
  const zeros = kernel.map((k, i) => (padding === 'same' ? (dilation[i]! * (k - 1)) >> 1 : padding[i]!));
  const full = convTranspose2d(images, weight!, null, { stride, dilation, groups });
  // Padding goes; pixels of the image that no tap reached come back as zeros.
  const back = pad(
    full,
    [1, 0].flatMap((i) => [-zeros[i]!, inside[i]! + zeros[i]! - full.shape[2 + i]!]),
  );
  const moved = bias
    ? add(constant, reshape(sum(mul(images, perChannel(bias, 4)), { axes: [1, 2, 3] }), [batch, rows]))
    : constant;
  const terms = Math.max(filters * outH * outW, sizeOf(weight!.shape.slice(1)));
  return { coefficients: reshape(back, [batch, rows, -1]), constant: lessError(moved, coefficients, size, terms) };
};

/** Through z = scale x + shift, element by element; `size` bounds the terms of the shift. All broadcast over x. */
function throughScale(
  { coefficients, constant }: Plane,
  { input }: Step,
  scale: Tensor | null,
  shift: Tensor,
  size: Tensor,
): Plane {
  const { shape } = input.lower;
  const over = (t: Tensor): Tensor => rowsOf(expand(t, shape));
  const reached = scale ? mul(largest(input), abs(scale)) : largest(input);
  const moved = add(constant, dotted(coefficients, expand(shift, shape)));
  return {
    coefficients: scale ? mul(coefficients, over(scale)) : coefficients,
    constant: lessError(moved, coefficients, add(reached, expand(size, shape)), sizeOf(shape.slice(1))),
  };
}

/**
 * relu on [l, u] with l < 0 < u lies over slope z, slope 1 if u > -l and else 0, and under s z + max(-s l, u (1 - s))
 * for any s in 0..1, here u / (u - l).
 */
const throughRelu: Back = ({ coefficients, constant }, { input }) => {
  const { lower, upper } = input;
  const isOn = greater(lower, 0);
  const isOpen = cast(greater(upper, 0), 'f32');
  const slopeAbove = where(isOn, 1, mul(isOpen, minimum(div(upper, maximum(sub(upper, lower), 1e-30)), 1)));
  const slopeBelow = where(isOn, 1, mul(isOpen, cast(greater(upper, neg(lower)), 'f32')));
  const offset = where(
    isOn,
    0,
    mul(isOpen, mul(maximum(neg(mul(slopeAbove, lower)), mul(upper, sub(1, slopeAbove))), 1 + 8 * EPSILON)),
  );
  const [up, down] = [maximum(coefficients, 0), minimum(coefficients, 0)];
  return {
    coefficients: add(mul(up, rowsOf(slopeBelow)), mul(down, rowsOf(slopeAbove))),
    constant: lessError(
      add(constant, dotted(down, offset)),
      coefficients,
      largest(input),
      sizeOf(lower.shape.slice(1)),
    ),
  };
};

/** Through a layer that is linear without weights, by the product of the plane with its Jacobian. */
const throughMean: Back = ({ coefficients, constant }, { layer, input }) => {
  const [batch, rows] = coefficients.shape as [number, number];
  const { shape } = input.lower;
  const size = layer.forward(largest(input));
  const x = requireGrad(zeros([batch * rows, ...shape.slice(1)], { gpu: coefficients.gpu }));
  const [back] = withGrad(() =>
    gradients(sum(mul(layer.forward(x), reshape(coefficients, [batch * rows, ...size.shape.slice(1)]))), [x]),
  ) as [Tensor];
  return {
    coefficients: reshape(back, [batch, rows, -1]),
    constant: lessError(constant, coefficients, size, Math.max(sizeOf(shape.slice(2)), sizeOf(size.shape.slice(1)))),
  };
};

/** Through a sum of paths that start from the same x: the planes over x add up. */
const throughSum: Back = ({ coefficients, constant }, { input, paths }) => {
  const [a, b] = paths!.map(({ steps }, i) =>
    carried({ coefficients, constant: i === 0 ? constant : mul(constant, 0) }, steps),
  ) as [Plane, Plane];
  const reached = add(largest(paths![0]!.output), largest(paths![1]!.output));
  const each = add(abs(a.coefficients), abs(b.coefficients));
  const sums = lessError(add(a.constant, b.constant), coefficients, reached, sizeOf(reached.shape.slice(1)));
  return {
    coefficients: add(a.coefficients, b.coefficients),
    constant: lessError(sub(sums, mul(add(abs(a.constant), abs(b.constant)), sumError(1))), each, largest(input), 1),
  };
};

const unchanged: Back = (plane) => plane;

const BACK: Readonly<Record<string, Back>> = {
  Linear: throughLinear,
  NtkLinear: throughLinear,
  Conv2d: throughConv2d,
  ReLU: throughRelu,
  Flatten: unchanged,
  Dropout: unchanged,
  AvgPool2d: throughMean,
  AdaptiveAvgPool2d: throughMean,
  PadShortcut: throughMean,
  Residual: throughSum,
  Bias: (plane, step) => {
    const shift = perChannel(step.layer.params.bias!, step.input.lower.rank);
    return throughScale(plane, step, null, shift, abs(shift));
  },
  ClassScale: (plane, step) => {
    const { scale, bias } = step.layer.params;
    const shift = bias ?? mul(scale!, 0);
    return throughScale(plane, step, scale!, shift, abs(shift));
  },
  BatchNorm: (plane, step) => {
    const { scale, shift, size } = normOf(step.layer as BatchNorm, step.input.lower.rank);
    return throughScale(plane, step, scale, shift, size);
  },
  NormalizeInput: (plane, step) => {
    const { scale, shift, size } = pixelScale(step.layer as NormalizeInput, step.input.lower.rank);
    return throughScale(plane, step, scale, shift, size);
  },
};

/**
 * The layers of a model one after the other, those of a sequential in its place. Throws TypeError at one that planes do
 * not pass.
 */
function chainOf(model: Layer, name = ''): Layer[] {
  if (model.kind === 'Sequential')
    return Object.entries(model.children ?? {}).flatMap(([key, layer]) => chainOf(layer, key));
  if (model.kind in BACK) return [model];
  throw new TypeError(
    `crown: layer ${name || model.kind} (${model.kind}) is none of ${Object.keys(BACK).join(', ')}; use method ibp`,
  );
}

/** A plane over the outputs of the last step as one over the inputs of the first. */
function carried(plane: Plane, steps: readonly Step[]): Plane {
  return [...steps].reverse().reduce((now, step) => BACK[step.layer.kind]!(now, step), plane);
}

/**
 * The least value of rows of functions of the outputs of the last step over the box of the first; -Infinity where it is
 * not known. `rows`: (batch, rows, outputs).
 */
export function leastOf(rows: Tensor, steps: readonly Step[]): Tensor {
  const [batch, count] = rows.shape as [number, number];
  const { coefficients, constant } = carried({ coefficients: rows, constant: mul(sum(rows, { axes: 2 }), 0) }, steps);
  const { lower, upper } = steps[0]!.input;
  const least = add(dotted(maximum(coefficients, 0), lower), dotted(minimum(coefficients, 0), upper));
  return reshape(
    sureLower(lessError(add(constant, least), coefficients, largest({ lower, upper }), sizeOf(lower.shape.slice(1)))),
    [batch, count],
  );
}

/** Bounds of all outputs of the last step, a block of them at a time, intersected with `known`. */
function tightened(known: Interval, steps: readonly Step[]): Interval {
  const [batch, ...shape] = known.lower.shape as [number, ...number[]];
  const size = sizeOf(shape);
  const widest = Math.max(size, ...steps.map(({ input }) => sizeOf(input.lower.shape.slice(1))));
  const block = Math.max(1, Math.floor(MOST / (batch * widest)));
  const parts: Interval[] = [];
  for (let start = 0; start < size; start += block) {
    const count = Math.min(block, size - start);
    const units = oneHot(
      Array.from({ length: count }, (_, i) => start + i),
      size,
    );
    const rows = expand(reshape(units, [1, count, size]), [batch, count, size]);
    parts.push({ lower: leastOf(rows, steps), upper: neg(leastOf(neg(rows), steps)) });
  }
  const joined = (pick: (v: Interval) => Tensor): Tensor =>
    reshape(concat(parts.map(pick), { axis: 1 }), [batch, ...shape]);
  return {
    lower: maximum(
      known.lower,
      joined((v) => v.lower),
    ),
    upper: minimum(
      known.upper,
      joined((v) => v.upper),
    ),
  };
}

const hasRelu = ({ layer, paths }: Step): boolean =>
  layer.kind === 'ReLU' || (paths ?? []).some(({ steps }) => steps.some(hasRelu));

/**
 * The layers of a model with the bounds of their inputs, and the bounds of the output; `before` leads from the box to
 * `input`.
 */
function walked(
  model: Layer,
  input: Interval,
  method: CrownMethod,
  before: readonly Step[],
): { steps: Step[]; output: Interval } {
  const steps: Step[] = [];
  let now = sure(input);
  const pass = (step: Step, output: Interval): void => {
    steps.push(step);
    now = output;
  };
  const meetRelu = (layer: Layer): void => {
    const path = [...before, ...steps];
    if (method === 'crown' && path.some(hasRelu)) now = tightened(now, path);
    pass({ layer, input: now }, intervalBounds(layer, now));
  };
  for (const layer of chainOf(model)) {
    if (layer.kind === 'ReLU') meetRelu(layer);
    else if (layer.kind === 'Residual') {
      const { main, shortcut, activation } = layer as Residual;
      const at = [...before, ...steps];
      const paths = [
        walked(main, now, method, at),
        shortcut ? walked(shortcut, now, method, at) : { steps: [], output: now },
      ] as const;
      pass({ layer, input: now, paths }, summed(paths[0].output, paths[1].output));
      if (activation === 'relu') meetRelu(ReLU());
    } else pass({ layer, input: now }, intervalBounds(layer, now));
  }
  return { steps, output: now };
}

/** The layers of a model with the bounds of their inputs. */
export function stepsOf(model: Layer, input: Interval, method: CrownMethod): Step[] {
  const { steps } = walked(model, input, method, []);
  if (steps.length === 0) throw new ShapeError('crown: the model has no layers');
  return steps;
}

/**
 * CROWN (Zhang et al., NeurIPS 2018): bounds of the outputs of a net of linear, conv2d, relu, flatten, batch norm,
 * input normalisation, average pooling and residual layers over lower <= x <= upper, by planes carried backwards from
 * the outputs to the inputs; for 'crown-ibp' (Zhang et al., ICLR 2020) the inputs of relus are bounded by intervals.
 * Sound in floating point as {@link intervalBounds}. In real numbers they equal the exact range where no relu is
 * undecided; else they may be looser than intervals in one output and tighter in another: certifyBounds takes the
 * better of both. Throws TypeError at a layer of another kind, such as maximum pooling.
 */
export function crownBounds(model: Layer, input: Interval, options: { method?: CrownMethod } = {}): Interval {
  expectOptions('crownBounds', options, ['method']);
  const { method = 'crown' } = options;
  const { steps, output } = walked(model, input, method, []);
  if (steps.length === 0) throw new ShapeError('crown: the model has no layers');
  const { shape } = output.lower;
  const size = sizeOf(shape.slice(1));
  const rows = expand(
    oneHot(
      Array.from({ length: size }, (_, i) => i),
      size,
    ),
    [shape[0]!, size, size],
  );
  return { lower: reshape(leastOf(rows, steps), shape), upper: reshape(neg(leastOf(neg(rows), steps)), shape) };
}
