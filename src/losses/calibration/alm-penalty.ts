import { oneOf } from '../../check/check.ts';
import { add, div, maximum, mul, sub } from '../../ops/binary.ts';
import { less } from '../../ops/compare.ts';
import { neg, square } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/**
 * P(h; lambda, rho) of a constraint h <= 0 with multiplier lambda and penalty factor rho. 'phr' (Powell, Hestenes,
 * Rockafellar): ((lambda + rho h)^2 - lambda^2) / (2 rho) where lambda + rho h >= 0, else -lambda^2 / (2 rho). 'p2':
 * lambda h + lambda rho h^2 + rho^2 h^3 / 6 for h >= 0, lambda h / (1 - rho h) below; 'p3': the same without the cubic
 * term. 'relu': lambda max(h, 0), of slope lambda at 0. All but 'relu' are continuously differentiable, with P(0) = 0,
 * P'(0) = lambda and P' >= 0.
 */
export type AlmPenalty = 'phr' | 'p2' | 'p3' | 'relu';

/** Rule of {@link AlmPenalty}. */
export const ALM_PENALTY = oneOf('phr', 'p2', 'p3', 'relu');

/** {@link AlmPenalty} and its derivative by h, on the host. */
export function almPenalty(kind: AlmPenalty, h: number, lambda: number, rho: number): { value: number; slope: number } {
  if (kind === 'relu') return { value: lambda * Math.max(h, 0), slope: h >= 0 ? lambda : 0 };
  if (kind === 'phr') {
    const u = Math.max(h, -lambda / rho);
    return { value: u * (lambda + (rho * u) / 2), slope: lambda + rho * u };
  }
  if (h < 0) return { value: (lambda * h) / (1 - rho * h), slope: lambda / (1 - rho * h) ** 2 };
  const cubic = kind === 'p2' ? rho * rho : 0;
  return {
    value: h * (lambda + lambda * rho * h + (cubic * h * h) / 6),
    slope: lambda + 2 * lambda * rho * h + (cubic * h * h) / 2,
  };
}

/** {@link almPenalty} of h (rows, classes), with lambda and rho (classes); no gradient flows to them. */
export function almPenaltyOf(kind: AlmPenalty, h: Tensor, lambda: Tensor, rho: Tensor): Tensor {
  if (kind === 'phr') {
    // Without a difference of squares: nothing cancels, and the slope at the bound is 0.
    const u = maximum(
      h,
      noGrad(() => neg(div(lambda, rho))),
    );
    return mul(
      u,
      add(
        mul(
          u,
          noGrad(() => mul(rho, 0.5)),
        ),
        lambda,
      ),
    );
  }
  const isBelow = noGrad(() => less(h, 0));
  const [below, above] = [where(isBelow, h, 0), where(isBelow, 0, h)];
  if (kind === 'relu') return mul(lambda, above);
  const bent = div(mul(lambda, below), sub(1, mul(rho, below)));
  const line = add(mul(mul(lambda, rho), above), lambda);
  return add(bent, mul(above, kind === 'p3' ? line : add(line, div(square(mul(rho, above)), 6))));
}
