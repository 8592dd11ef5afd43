import { NonFiniteError } from '../gpu/errors.ts';
import { firstNonFinite } from '../tensor/anomaly.ts';
import type { DType } from '../tensor/dtype.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The saved values of a model; what has neither is known by its outputs alone. */
export interface WithValues {
  readonly parameters?: ReadonlyMap<string, Tensor>;
  readonly namedBuffers?: ReadonlyMap<string, Tensor<DType>>;
}

/** Versions of the values of each model when they were last seen to be finite. */
const seen = new WeakMap<object, string>();

/**
 * Rejects with a NonFiniteError, naming `what` and the tensor, unless all parameters and buffers are finite, by their
 * bits; looked at once, and again when they were written.
 */
export async function expectFiniteModel(what: string, model: WithValues): Promise<void> {
  const values = [...(model.parameters ?? []), ...(model.namedBuffers ?? [])].filter(
    ([, t]) => t.dtype === 'f32' && t.size > 0,
  ) as [string, Tensor][];
  if (values.length === 0) return;
  const versions = values.map(([, t]) => t.version).join();
  if (seen.get(model) === versions) return;
  const at = await firstNonFinite(values.map(([, t]) => t));
  if (at >= 0)
    throw new NonFiniteError(
      `${what}: ${values[at]![0]} of the model has values that are NaN or infinite, expected finite weights; ` +
        'load a state from before they came up',
    );
  seen.set(model, versions);
}
