import { NonFiniteError } from '../gpu/errors.ts';
import { firstNonFinite } from '../tensor/anomaly.ts';
import type { DType } from '../tensor/dtype.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The saved values of a model; what has neither is known by its outputs alone. */
export interface WithValues {
  readonly parameters?: ReadonlyMap<string, Tensor>;
  readonly namedBuffers?: ReadonlyMap<string, Tensor<DType>>;
}

/** Which values a model has: where each lies, and how often that was written. */
export type ValuesMark = readonly (readonly [storage: object, version: number])[];

/** The mark of the values that a model has now; null for a model that does not give them. */
export function markOf(model: WithValues): ValuesMark | null {
  if (!model.parameters && !model.namedBuffers) return null;
  return [...(model.parameters?.values() ?? []), ...(model.namedBuffers?.values() ?? [])].map(
    ({ storage, version }) => [storage, version] as const,
  );
}

/** Whether two marks are of the same values. */
export function isSameMark(a: ValuesMark | null, b: ValuesMark | null): boolean {
  return (
    a !== null &&
    b !== null &&
    a.length === b.length &&
    a.every(([storage, version], i) => storage === b[i]![0] && version === b[i]![1])
  );
}

/** Mark of the values of each model when they were last seen to be finite. */
const seen = new WeakMap<object, ValuesMark>();

/**
 * Rejects with a NonFiniteError, naming `what` and the tensor, unless all parameters and buffers are finite, by their
 * bits; they are checked at the first call, and after each write.
 */
export async function expectFiniteModel(what: string, model: WithValues): Promise<void> {
  const mark = markOf(model);
  if (mark === null || mark.length === 0 || isSameMark(mark, seen.get(model) ?? null)) return;
  const values = [...(model.parameters ?? []), ...(model.namedBuffers ?? [])].filter(
    ([, t]) => t.dtype === 'f32' && t.size > 0,
  ) as [string, Tensor][];
  const at = await firstNonFinite(values.map(([, t]) => t));
  if (at >= 0)
    throw new NonFiniteError(
      `${what}: ${values[at]![0]} of the model has values that are NaN or infinite, expected finite weights; ` +
        'load a state from before they came up',
    );
  seen.set(model, mark);
}
