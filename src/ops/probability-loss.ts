import kernel from '../../shaders/probability-loss.wgsl';
import { expectOptions } from '../check/options.ts';
import { DTypeError } from '../gpu/errors.ts';
import { gradientFor, isRecording, pullback, record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, expectShape, tensor, Tensor } from '../tensor/tensor.ts';
import { composedProbabilityLoss } from './probability-loss-composed.ts';

const KINDS = { mix: 0, power: 1, focal: 2, taylor: 3, huber: 4, asymmetric: 5, exponential: 6 };

/** Which function of the label's probability; see {@link probabilityLoss}. */
export type ProbabilityLossKind = keyof typeof KINDS;

/** Options of {@link probabilityLoss}. */
export interface ProbabilityLossOptions {
  /** Terms of 'taylor'. Default: 1. */
  order?: number;
  /** For 'focal': the factor (1 - p)^c0 is a constant for the gradient. Default: false. */
  detach?: boolean;
  /** Added to p. Default: 0. */
  epsilon?: number;
  /** p counts as this where it is smaller, without a gradient. Default: 0, no floor. */
  floor?: number;
}

/**
 * phi(p) for p = softmax(logits)[label], one value a row, one kernel forward and one backward. With L = -log p, q = 1 -
 * p: 'mix' c0 L + c1 q; 'power' (1 - p^c0) / c0, which is L for c0 = 0; 'focal' q^c0 L; 'taylor' the sum of q^i / i up
 * to `order`; 'huber' the power above p = c3 and its tangent, of slope -c1, below (c2 = -log c3); 'asymmetric' c2 ((1 +
 * q / c0)^c1 - 1); 'exponential' e^(-p / c0). Nothing cancels near p = 1; a power with c0 < 0 is held at e^87 / -c0.
 *
 * logits: (rows, classes) f32; labels: (rows) i32, a row with one outside 0..classes-1 has value and gradient 0.
 * constants: c0 to c3, a tensor (4) that the host may rewrite, or numbers; no gradient flows to them. Gradients of
 * gradients go through a composed form. Throws ShapeError, DTypeError, and RangeError for an option out of range.
 */
export function probabilityLoss(
  logits: Tensor,
  labels: Tensor<'i32'>,
  kind: ProbabilityLossKind,
  constants: Tensor | readonly number[],
  options: ProbabilityLossOptions = {},
): Tensor {
  expectOptions('probabilityLoss', options, ['order', 'detach', 'epsilon', 'floor']);
  const { order = 1, detach = false, epsilon = 0, floor = 0 } = options;
  expectDType(logits, 'f32', 'probabilityLoss: logits');
  expectRank(logits, 2, 'probabilityLoss: logits');
  const [rows, classes] = logits.shape as [number, number];
  if (labels.dtype !== 'i32') throw new DTypeError(`probabilityLoss: labels are ${labels.dtype}, expected i32`);
  expectShape(labels, [rows], 'probabilityLoss: labels');
  if (!(kind in KINDS))
    throw new RangeError(`probabilityLoss: kind is ${kind}, expected one of ${Object.keys(KINDS).join(', ')}`);
  if (!(Number.isInteger(order) && order >= 1))
    throw new RangeError(`probabilityLoss: order is ${order}, expected a positive integer`);
  if (!(epsilon >= 0 && epsilon < 1))
    throw new RangeError(`probabilityLoss: epsilon is ${epsilon}, expected 0 <= epsilon < 1`);
  if (!(floor >= 0 && floor < 1)) throw new RangeError(`probabilityLoss: floor is ${floor}, expected 0 <= floor < 1`);
  const gpu = logits.gpu;
  const table =
    constants instanceof Tensor
      ? constants
      : tensor(
          [0, 1, 2, 3].map((i) => constants[i] ?? 0),
          { gpu },
        );
  expectShape(table, [4], 'probabilityLoss: constants');

  const params = { rows, classes, order, epsilon, ceiling: floor > 0 ? -Math.log(floor) : Infinity };
  const variant = { KIND: KINDS[kind], DETACH: Number(detach) };
  const y = empty([rows], { gpu });
  kernel.forward(params, { z: logits, labels, constants: table, y }, [rows], variant);
  const composed = (dy: Tensor): Tensor[] =>
    pullback(composedProbabilityLoss(logits, labels, kind, table, options, dy), [logits], dy, { createGraph: true });
  const fused = (dy: Tensor): Tensor[] => {
    const dz = gradientFor(logits);
    kernel.backward(params, { z: logits, labels, constants: table, dy, y: dz }, [rows], variant);
    return [dz];
  };
  return record('probabilityLoss', y, [logits], (dy) => (isRecording() ? composed(dy) : fused(dy)), { composed: true });
}
