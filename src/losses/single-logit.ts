import { ShapeError } from '../gpu/errors.ts';
import { stack } from '../ops/concat.ts';
import { zeros } from '../tensor/tensor.ts';
import { asLoss } from './define.ts';
import type { Loss, LossFunction } from './loss.ts';
import { wrapLoss } from './wrap-loss.ts';

/**
 * A loss of two classes for a model of one logit: logits f (...), labels 0 or 1 (...), as `loss` of the logits (0, f),
 * so that sigmoid(f) is the probability of class 1. The margin form of a loss is this with all labels 1: f is then the
 * margin.
 */
export function singleLogit(loss: Loss | LossFunction): Loss {
  const base = asLoss(loss, 'singleLogit');
  return wrapLoss([base], {
    name: base.name,
    call(logits, labels, inputs) {
      if (logits.rank < 1) throw new ShapeError(`${base.name}: logits have shape [], expected one for each sample`);
      return base(stack([zeros(logits.shape, { gpu: logits.gpu }), logits], { axis: -1 }), labels, inputs);
    },
  });
}
