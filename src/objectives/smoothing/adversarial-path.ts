import { add, div, mul, sub } from '../../ops/binary.ts';
import { greater } from '../../ops/compare.ts';
import type { Operand } from '../../ops/element.ts';
import { mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { clamp, exp, neg, sqrt, square } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { scope } from '../../tensor/scope.ts';
import { gradients, noGrad, requireGrad, withGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { entropies, noisy, smoothedEntropy, type NoisyInputs } from './noisy-inputs.ts';

/** A number, or a scalar on the device that changes between steps. */
export type Scalar = Operand;

/** a times b, on the device only where it must be. */
export function times(a: Scalar, b: number): Scalar {
  return typeof a === 'number' ? a * b : mul(a, b);
}

/** How {@link adversarialPath} walks. */
export interface PathOptions {
  steps: number;
  /** Length of a step. */
  stepSize: Scalar;
  /** l2 ball around x that the path stays in; null: none. */
  radius: Scalar | null;
  /** Interval of the pixels. Default: [0, 1]. */
  box?: readonly [number, number];
  /** Whether a point is moved into the ball before it is clipped to the box, or after. Default: 'before'. */
  project?: 'before' | 'after';
  /** The direction is g / (|g| + damping). With 0 a zero gradient gives no direction. Default: 1e-8. */
  damping?: number;
  /** Direction, (batch, ...), of images whose gradient is zero where damping is 0. Default: they stay. */
  lost?: (step: number) => Tensor;
  /** Take mean(-P(y) noise) over the noise in place of the gradient. Default: false. */
  gradientFree?: boolean;
}

/**
 * Ascent on -log of the smoothed probability of the label, with the noise held fixed and the network in evaluation
 * mode: x and the point after each step, off the tape.
 */
export function adversarialPath(inputs: NoisyInputs, options: PathOptions): Tensor[] {
  const path = [inputs.x.detach()];
  for (let i = 0; i < options.steps; i++) path.push(scope(() => noGrad(() => advance(inputs, path[i]!, i, options))));
  return path;
}

/**
 * The nearest point of the ball around x of that radius, by the rule of torch's renorm: factor radius / (length + 1e-7)
 * outside.
 */
export function intoBall(x: Tensor, moved: Tensor, radius: Scalar): Tensor {
  const delta = sub(moved, x);
  const length = lengths(delta);
  return add(x, mul(delta, where(greater(length, radius), div(radius, add(length, 1e-7)), 1)));
}

/** Length of each sample, (batch, 1, ...). */
export function lengths(x: Tensor): Tensor {
  return sqrt(sum(square(x), { axes: x.shape.map((_, i) => i).slice(1), keepDim: true }));
}

function advance(
  inputs: NoisyInputs,
  at: Tensor,
  i: number,
  { stepSize, radius, box = [0, 1], project = 'before', damping = 1e-8, lost, gradientFree = false }: PathOptions,
): Tensor {
  const { x } = inputs;
  const slope = gradientFree ? estimated(inputs, at) : uphill(inputs, at);
  const length = lengths(slope);
  const unit =
    damping > 0
      ? div(slope, add(length, damping))
      : where(greater(length, 0), div(slope, where(greater(length, 0), length, 1)), lost ? lost(i) : 0);
  const moved = add(at, mul(unit, stepSize));
  if (radius === null) return clamp(moved, ...box);
  return project === 'before' ? clamp(intoBall(x, moved, radius), ...box) : intoBall(x, clamp(moved, ...box), radius);
}

function uphill({ y, evaluate, noise }: NoisyInputs, at: Tensor): Tensor {
  const point = requireGrad(at.detach());
  const loss = withGrad(() => sum(smoothedEntropy(evaluate(noisy(point, noise)), y)));
  return gradients(loss, [point])[0]!;
}

/** The gradient of the smoothed probability is that of the noise's density: no backward pass. */
function estimated({ y, evaluate, noise }: NoisyInputs, at: Tensor): Tensor {
  const probability = exp(neg(entropies(evaluate(noisy(at, noise)), y)));
  return mean(mul(neg(reshape(probability, [...probability.shape, ...noise.shape.slice(2).map(() => 1)])), noise), {
    axes: 1,
  });
}
