import { ShapeError } from '../gpu/errors.ts';
import { selectParameters } from '../tensor/selection.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ParameterArena, ParameterGroup, Segment } from './optimizer.ts';

/** Elements that one word of a block table speaks for. */
export const BLOCK = 64;
const TRAINED = 1;
const ROW_BIT = 1;
const PARAMETER_BIT = 9;
/** Rows of settings that a word can tell apart. */
export const MOST_ROWS = 256;

/** WGSL of what a word says: whether its elements are trained, their row of settings, the number of their parameter. */
export const BLOCK_CODE = {
  isTrained: `(block & ${TRAINED}u) != 0u`,
  row: `((block >> ${ROW_BIT}u) & ${MOST_ROWS - 1}u)`,
  parameter: `block >> ${PARAMETER_BIT}u`,
} as const;

/** The parameters of an arena. Throws ShapeError when its memory does not fit an optimiser. */
export function segmentsOf({ values, grads, parameters }: ParameterArena): Segment[] {
  if (values.size !== grads.size || values.size % 4 !== 0) {
    throw new ShapeError(
      `optimiser: the arena has ${values.size} values and ${grads.size} gradients, expected equal multiples of 4`,
    );
  }
  if (!parameters) return [{ name: '', shape: values.shape, start: 0, size: values.size }];
  return [...parameters].map(([name, p]) => {
    if (p.offset % BLOCK !== 0)
      throw new ShapeError(`optimiser: ${name} starts at ${p.offset}, expected a multiple of ${BLOCK}`);
    return { name, shape: p.shape, start: p.offset, size: p.size };
  });
}

/** Whether each parameter is trained now, in the order of the segments. */
export function trainedIn({ parameters }: ParameterArena): boolean[] {
  return parameters ? Array.from(parameters.values(), (p) => p.requiresGrad) : [true];
}

/**
 * Throws an Error before a run of the captured step whose frozen parameters are not those of the capture: for rules
 * that work with all gradients together, where frozen ones must be zero.
 */
export function expectSameFrozen(what: string, arena: ParameterArena): void {
  const then = trainedIn(arena);
  arena.values.gpu.beforeRun(() => {
    const at = trainedIn(arena).findIndex((on, i) => on !== then[i]);
    if (at >= 0)
      throw new Error(
        `${what}: ${segmentsOf(arena)[at]!.name} was ${then[at] ? 'frozen' : 'unfrozen'} after the step was ` +
          'captured; capture it anew',
      );
  });
}

/**
 * The number of the group of each parameter, in the order of the segments: 0 for those in none, else from 1. Throws
 * RangeError when a group matches nothing, or a parameter is in two.
 */
export function groupsOf(
  what: string,
  { parameters }: ParameterArena,
  groups: readonly Pick<ParameterGroup, 'params'>[],
): number[] {
  if (groups.length === 0) return trainedIn({ parameters } as ParameterArena).map(() => 0);
  if (!parameters) throw new RangeError(`${what}: groups need named parameters, such as those of a model`);
  if (groups.length >= MOST_ROWS)
    throw new RangeError(`${what}: got ${groups.length} groups, expected at most ${MOST_ROWS - 1}`);
  const numbers = new Map<string, number>();
  groups.forEach(({ params }, i) => {
    for (const name of selectParameters(`${what}: groups[${i}].params`, parameters, params)) {
      const other = numbers.get(name);
      if (other !== undefined)
        throw new RangeError(`${what}: ${name} is in groups[${other - 1}] and in groups[${i}], expected one group`);
      numbers.set(name, i + 1);
    }
  });
  return Array.from(parameters.keys(), (name) => numbers.get(name) ?? 0);
}

/**
 * One word for each 64 elements: whether they are trained, the row of their settings, and the number of their
 * parameter. This is how one dispatch over an arena tells parameters apart. The gaps between parameters are not
 * trained: neither they nor their slots ever change.
 */
export function blockWords(
  { values }: { readonly values: Tensor },
  segments: readonly Segment[],
  { trained, rows }: { trained: readonly boolean[]; rows: readonly number[] },
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(values.size / BLOCK));
  segments.forEach(({ start, size }, i) => {
    const word = (i << PARAMETER_BIT) | (rows[i]! << ROW_BIT) | (trained[i] ? TRAINED : 0);
    words.fill(word, start / BLOCK, Math.ceil((start + size) / BLOCK));
  });
  return words;
}
