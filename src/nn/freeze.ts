import { selectParameters, type ParameterSelection } from '../tensor/selection.ts';
import type { Sequential } from './sequential.ts';

/**
 * Stops the training of parameters: all, or those that `params` chooses ('features.*'). From the next step on no
 * gradient, decay or momentum moves them, under optimisers bound before too; a pass recorded from then on computes no
 * gradient for them. Throws RangeError when a name or pattern matches nothing.
 */
export function freeze(model: Sequential, params: ParameterSelection = '*'): void {
  train('freeze', model, params, false);
}

/**
 * Trains parameters that {@link freeze} stopped: all, or those that `params` chooses. `fit` follows between epochs; a
 * step that was captured while they were frozen has no gradient for them, and its next run throws. Their slots
 * (momentum) and step counts go on from where they were. Throws RangeError when a name or pattern matches nothing.
 */
export function unfreeze(model: Sequential, params: ParameterSelection = '*'): void {
  train('unfreeze', model, params, true);
}

function train(what: string, model: Sequential, params: ParameterSelection, on: boolean): void {
  const { parameters } = model;
  for (const name of selectParameters(what, parameters, params)) parameters.get(name)!.requiresGrad = on;
}
