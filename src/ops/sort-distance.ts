import kernel from '../../shaders/sort-distance.wgsl';
import { between, check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { isRecorded, record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, expectShape, type Tensor } from '../tensor/tensor.ts';
import type { DistanceBounds } from './lp-distance.ts';

/** Which terms count, and how much. */
export interface SortDistanceOptions {
  /** Probability q with which training kept an input; the share of the largest term. Default: 0.75. */
  keep?: number;
  /** Terms that count, 1 to 16. Default: 10. */
  terms?: number;
}

/**
 * y[..., o] = sum_j q (1-q)^j t_(j) / (1 - (1-q)^K), t_(0) >= t_(1) >= ... the K largest of |x - w[o]|: the mean, but
 * for the terms after K, of the l_infinity distance over random sets that keep each input with probability q = `keep`.
 * 1-Lipschitz in the l_infinity norm; q = 1 is that distance. x: (..., in), w: (out, in); y: (..., out); f32; K is at
 * most `in`. Zhang, Jiang, He and Wang, "Rethinking Lipschitz neural networks and certified robustness", NeurIPS 2022.
 * NaN among the terms is the largest. Gradient: each share with the sign of its term, + at 0, the lowest index of
 * equals first. It can be differentiated once. Throws ShapeError when sizes do not fit, RangeError unless 0 < keep
 * <= 1 and `terms` is an integer from 1 to 16.
 */
export function sortDistance(x: Tensor, w: Tensor, options: SortDistanceOptions = {}): Tensor {
  expectOptions('sortDistance', options, ['keep', 'terms']);
  expectPair('sortDistance', x, w);
  const { gpu } = x;
  const { params, terms, count, shape } = layerOf('sortDistance', x, w, options);
  const y = empty(shape, { gpu });
  const variant = { TERMS: terms };
  if (!isRecorded(x, w)) {
    kernel.forward(params, { x, w, y }, [count], variant);
    return record('sortDistance', y);
  }
  const index = empty([count, terms], { dtype: 'u32', gpu });
  const least = empty([count], { gpu });
  kernel.forwardIndexed(params, { x, w, y, index, least }, [count], variant);
  return record('sortDistance', y, [x, w], {
    fused: (dy, into) => {
      const gradient = (target: Tensor, isOfW: boolean): Tensor => {
        kernel.backward(params, { x, w, dy, y: target, index, least }, [target.size], {
          ...variant,
          OF_W: Number(isOfW),
        });
        return target;
      };
      return [() => gradient(into.gradient(0), false), () => gradient(into.gradient(1), true)];
    },
  });
}

/**
 * Bounds of {@link sortDistance} over all x with lower <= x <= upper, from the largest and the least that each |x_i -
 * w_i| can be: a sum of ordered terms never falls when one of them rises. lower, upper: (..., in); both results (...,
 * out). No gradient. Throws as {@link sortDistance}, and ShapeError when lower and upper differ in shape.
 */
export function sortDistanceBounds(
  lower: Tensor,
  upper: Tensor,
  w: Tensor,
  options: SortDistanceOptions = {},
): DistanceBounds {
  expectOptions('sortDistanceBounds', options, ['keep', 'terms']);
  expectPair('sortDistanceBounds', lower, w);
  expectDType(upper, 'f32', 'sortDistanceBounds: upper');
  expectShape(upper, lower.shape, 'sortDistanceBounds: upper');
  const { params, terms, count, shape } = layerOf('sortDistanceBounds', lower, w, options);
  const bound = (isUpper: boolean): Tensor => {
    const y = empty(shape, { gpu: lower.gpu });
    kernel.bound(params, { x: lower, upper, w, y }, [count], { TERMS: terms, UPPER: Number(isUpper) });
    return record('sortDistanceBounds', y);
  };
  return { lower: bound(false), upper: bound(true) };
}

function expectPair(op: string, x: Tensor, w: Tensor): void {
  expectDType(x, 'f32', `${op}: x`);
  expectDType(w, 'f32', `${op}: weight`);
  expectRank(w, 2, `${op}: weight`);
  if (x.rank === 0 || x.shape.at(-1) !== w.shape[1])
    throw new ShapeError(`${op}: x has shape [${x.shape}], weight [${w.shape}] takes ${w.shape[1]} features`);
}

const LAYER = { keep: between(0, 1, '(]'), terms: integer(1, 16) } as const;

function layerOf(op: string, x: Tensor, w: Tensor, { keep = 0.75, terms = 10 }: SortDistanceOptions) {
  check(op, { keep, terms }, LAYER);
  const [n, k] = w.shape as [number, number];
  const m = sizeOf(x.shape.slice(0, -1));
  const used = Math.max(1, Math.min(terms, k));
  const shares = Array.from({ length: 16 }, (_, j) =>
    j < used ? (keep * (1 - keep) ** j) / (1 - (1 - keep) ** used) : 0,
  );
  return { params: { m, n, k, shares }, terms: used, count: m * n, shape: [...x.shape.slice(0, -1), n] };
}
