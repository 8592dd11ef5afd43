import { ShapeError } from '../gpu/errors.ts';
import { stack } from '../ops/concat.ts';
import { zeros } from '../tensor/tensor.ts';
import { named, type Loss } from './loss.ts';

/**
 * A loss of two classes for a model of one logit: logits f (...), labels 0 or 1 (...), as `loss` of the logits (0, f),
 * so that sigmoid(f) is the probability of class 1. The margin form of a loss is this with all labels 1: f is then the
 * margin.
 */
export function singleLogit(loss: Loss): Loss {
  const call: Parameters<typeof named>[1] = (logits, labels, inputs) => {
    if (logits.rank < 1) throw new ShapeError(`${loss.name}: logits have shape [], expected one for each sample`);
    return loss(stack([zeros(logits.shape, { gpu: logits.gpu }), logits], { axis: -1 }), labels, inputs);
  };
  return named(loss.name, call, {
    reduction: loss.reduction,
    setClassWeight: loss.setClassWeight,
    dispose: loss.dispose,
  });
}
