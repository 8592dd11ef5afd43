import { decodeSafetensors, encodeSafetensors, FormatError } from '../io/index.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sameShape } from '../tensor/shape.ts';
import type { OptimizerState, SavedState } from './optimizer.ts';

/**
 * The slots and the step count of an optimiser or a weight average as a safetensors file: a tensor `slot.parameter` of
 * the shape of the parameter for each slot and parameter, such as `momentum.0.weight`; `optimizer`, `step`, and of an
 * optimiser the rate, `lr`, and the steps that parameters `missed` while they were frozen, among the metadata. Together
 * with `model.save()` it is all that a run needs to go on bit by bit.
 */
export async function saveState(state: SavedState): Promise<Uint8Array<ArrayBuffer>> {
  const tensors = new Map<string, { dtype: 'F32'; shape: readonly number[]; data: Float32Array<ArrayBuffer> }>();
  const step = state.progress.step;
  const host = await Promise.all(Object.entries(state.slots).map(async ([slot, t]) => [slot, await t.read()] as const));
  for (const [slot, values] of host) {
    for (const { name, shape, start, size } of state.segments)
      tensors.set(keyOf(slot, name), { dtype: 'F32', shape, data: values.slice(start, start + size) });
  }
  const metadata: Record<string, string> = { format: 'pt', optimizer: state.name, step: String(step) };
  if (hasRate(state)) metadata.lr = String(state.lr);
  const missed = state.segments.flatMap(({ name }, i) => {
    const count = state.progress.missed?.[i] ?? 0;
    return count > 0 ? [[name, count] as const] : [];
  });
  if (missed.length) metadata.missed = JSON.stringify(Object.fromEntries(missed));
  return encodeSafetensors(tensors, metadata);
}

/**
 * Puts back what `saveState` wrote; the next step is number `state.progress.step + 1`, at the rate of then. Throws
 * FormatError or ShapeError, and changes nothing, when the file is of another rule, its names or shapes are not those
 * of this state, or a number is not finite.
 */
export function loadState(state: SavedState, bytes: Uint8Array): void {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const name = metadata.get('optimizer');
  if (name !== state.name)
    throw new FormatError(
      `loadState: the file holds the state of ${name ?? 'no optimiser'}, expected that of ${state.name}`,
    );
  const step = /^\d+$/.test(metadata.get('step') ?? '') ? Number(metadata.get('step')) : NaN;
  if (!Number.isSafeInteger(step))
    throw new FormatError(`loadState: step is ${metadata.get('step')}, expected an integer of at least 0`);
  const lr = metadata.get('lr');
  if (lr !== undefined && !(Number.isFinite(Number(lr)) && lr.trim() !== '' && Number(lr) >= 0))
    throw new FormatError(`loadState: lr is ${lr}, expected a finite number of at least 0`);
  const missed = missedIn(metadata.get('missed'), step, state);
  const places = Object.entries(state.slots).flatMap(([slot, t]) =>
    state.segments.map((segment) => ({ key: keyOf(slot, segment.name), slot, t, segment })),
  );
  const wanted = new Set(places.map(({ key }) => key));
  const missing = [...wanted].filter((key) => !tensors.has(key));
  const unknown = [...tensors.keys()].filter((key) => !wanted.has(key));
  if (missing.length || unknown.length)
    throw new FormatError(`loadState: missing [${missing}], not of this optimiser and model [${unknown}]`);
  for (const { key, segment } of places) {
    const { dtype, shape, data } = tensors.get(key)!;
    if (dtype !== 'F32') throw new FormatError(`loadState: ${key} is ${dtype}, expected F32`);
    const bad = (data as Float32Array).findIndex((v) => !Number.isFinite(v));
    if (bad >= 0) throw new FormatError(`loadState: element ${bad} of ${key} is ${data[bad]}, expected finite numbers`);
    if (!sameShape(shape, segment.shape))
      throw new ShapeError(`loadState: ${key} has shape [${shape}], the model has [${segment.shape}]`);
  }
  for (const { key, t, segment } of places) {
    t.gpu.write(t.storage, t.byteOffset + segment.start * 4, tensors.get(key)!.data as Float32Array<ArrayBuffer>);
  }
  state.progress.step = step;
  if (hasRate(state)) state.progress.missed = missed;
  if (lr !== undefined && hasRate(state)) state.lr = Number(lr);
}

/** Steps that each parameter missed, by the metadata of a file. */
function missedIn(text: string | undefined, step: number, { segments }: SavedState): number[] {
  let counts: unknown = {};
  try {
    counts = text === undefined ? {} : JSON.parse(text);
  } catch {
    counts = null;
  }
  const names = new Set(segments.map(({ name }) => name));
  const isCount = ([name, count]: [string, unknown]): boolean =>
    names.has(name) && Number.isSafeInteger(count) && (count as number) >= 0 && (count as number) <= step;
  if (typeof counts !== 'object' || counts === null || !Object.entries(counts).every(isCount))
    throw new FormatError(`loadState: missed is ${text}, expected the steps that parameters of this model missed`);
  const known = new Map<string, number>(Object.entries(counts));
  return segments.map(({ name }) => known.get(name) ?? 0);
}

/** True for an optimiser, false for a weight average. */
function hasRate(state: SavedState): state is OptimizerState {
  return 'lr' in state;
}

/** The name of a slot of a parameter in a file; a parameter without a name has that of the slot. */
function keyOf(slot: string, parameter: string): string {
  return parameter ? `${slot}.${parameter}` : slot;
}
