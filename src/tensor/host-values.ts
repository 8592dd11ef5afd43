import { sizeOf } from './shape.ts';

/** A list of numbers, or of lists of equal shape: [[1, 2], [3, 4]]. */
export type Nested = ArrayLike<number> | readonly Nested[];

/** Values of the host with their shape: an NdArray, anything with `data` and `shape`, or nested arrays. */
export type HostInput = { readonly data: ArrayLike<number>; readonly shape: readonly number[] } | Nested;

/** Values in row-major order. */
export interface HostValues {
  data: ArrayLike<number>;
  shape: readonly number[];
}

/**
 * Values and shape of what the host gives, `what` in the errors: a TypeError on what holds no numbers (a Tensor, a
 * promise, text, a plain object), with the place where it is one element, and a RangeError on ragged rows, or on a
 * shape that does not fit. Flat lists are not copied.
 */
export function toHost(what: string, values: unknown): HostValues {
  if (isTensorLike(values))
    throw new TypeError(`${what} is a Tensor, expected values on the host: await t.array() first`);
  if (typeof values === 'object' && values !== null && 'data' in values && 'shape' in values) {
    const { data, shape } = values as { data: unknown; shape: readonly number[] };
    if (!isList(data) || !isList(shape))
      throw new TypeError(
        `${what} has data that are ${named(data)} and a shape that is ${named(shape)}, expected lists of numbers`,
      );
    if (data.length !== sizeOf(shape))
      throw new RangeError(`${what} has ${data.length} elements, expected ${sizeOf(shape)} for shape [${shape}]`);
    return { data: numbers(what, data), shape };
  }
  if (!isList(values))
    throw new TypeError(`${what} is ${named(values)}, expected an array of numbers, nested arrays, or an NdArray`);
  if (!isList(values[0])) return { data: numbers(what, values), shape: [values.length] };
  const shape = shapeOf(values);
  const data = new Float64Array(sizeOf(shape));
  fill(what, values, shape, [], data, 0);
  return { data, shape };
}

/** The values of a list with one axis, as {@link toHost}. */
export function toList(what: string, values: unknown): ArrayLike<number> {
  const { data, shape } = toHost(what, values);
  if (shape.length !== 1) throw new RangeError(`${what} has shape [${shape}], expected a list with one axis`);
  return data;
}

type List = ArrayLike<unknown>;

/** Arrays, typed arrays, and what else has a length and elements; no text. */
const isList = (v: unknown): v is List =>
  typeof v === 'object' && v !== null && typeof (v as { length?: unknown }).length === 'number' && !('data' in v);

const isTensorLike = (v: unknown): boolean =>
  typeof v === 'object' && v !== null && 'dtype' in v && typeof (v as { array?: unknown }).array === 'function';

/** Whether the type of the elements says that they are numbers. */
const isTyped = (v: List): boolean => ArrayBuffer.isView(v) && typeof v[0] !== 'bigint';

function shapeOf(values: List): number[] {
  return isList(values[0]) ? [values.length, ...shapeOf(values[0])] : [values.length];
}

function fill(
  what: string,
  values: List,
  shape: readonly number[],
  path: readonly number[],
  out: Float64Array,
  at: number,
): number {
  const expected = shape[path.length]!;
  if (values.length !== expected)
    throw new RangeError(
      `${what} row ${path.join(', ')} has ${values.length} entries, expected ${expected} as in row ` +
        `${path.map(() => 0).join(', ')}`,
    );
  if (path.length === shape.length - 1) {
    out.set(numbers(what, values, path), at);
    return at + values.length;
  }
  for (let i = 0; i < values.length; i++) {
    const row = values[i];
    if (!isList(row))
      throw new RangeError(
        `${what} row ${[...path, i].join(', ')} is ${named(row)}, expected a list as row ${[...path, 0].join(', ')}`,
      );
    at = fill(what, row, shape, [...path, i], out, at);
  }
  return at;
}

/** The elements, each of them a number; truth values count as 1 and 0. */
function numbers(what: string, values: List, path: readonly number[] = []): ArrayLike<number> {
  if (isTyped(values)) return values as ArrayLike<number>;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (typeof v === 'number' || typeof v === 'boolean') continue;
    const place = `[${[...path, i].join('][')}]`;
    if (isList(v))
      throw new RangeError(
        `${what}${place} is a list of ${v.length}, expected a number as [${[...path, 0].join('][')}]`,
      );
    throw new TypeError(`${what}${place} is ${named(v)}, expected a number`);
  }
  return values as ArrayLike<number>;
}

/** What a value is, for the reader. */
function named(v: unknown): string {
  if (v === null || v === undefined) return String(v);
  if (isTensorLike(v)) return 'a Tensor';
  if (typeof v === 'string') return JSON.stringify(v.length > 40 ? `${v.slice(0, 40)}..` : v);
  if (typeof v === 'function') return `the function ${v.name || 'without a name'}`;
  if (typeof v === 'bigint') return `the bigint ${v}`;
  if (typeof v !== 'object') return String(v);
  if (typeof (v as { then?: unknown }).then === 'function') return 'a promise; await it first';
  if (isList(v)) return `a list of ${v.length}`;
  const keys = Object.keys(v);
  return keys.length ? `an object with ${keys.slice(0, 6).join(', ')}` : 'an object';
}
