import { ShapeError, NonFiniteError } from '../gpu/errors.ts';
import { fromBfloat16, fromHalf } from '../io/half.ts';
import { FormatError } from '../io/index.ts';
import type { DType } from '../tensor/dtype.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import type { Entry } from './entries.ts';

/** A value of a state: with a `dtype` where it comes from a file. */
export interface StateValue {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
  readonly dtype?: string;
}

/** Options of loading. */
export interface LoadOptions {
  /**
   * Every name of the model must be there, and no other; false: what fits is taken, and `onReport` says what did not.
   * Default: true.
   */
  strict?: boolean;
  /** The name in the model of a name in the state; null leaves it out. Default: the same. */
  rename?: (name: string) => string | null;
  /** Take NaN and infinities too. Default: false. */
  allowNonFinite?: boolean;
  /** Called with a report of what was loaded and how. */
  onReport?: (report: LoadReport) => void;
}

/** What loading did, by the names of the model. */
export interface LoadReport {
  /** Of the model, and not in the state: these keep their values. */
  missing: string[];
  /** In the state, and not of the model: left out. */
  unknown: string[];
  /** Stored in another precision, and rounded to that of the model. */
  converted: { name: string; from: string }[];
}

/** Places of a model by name. */
type Places = ReadonlyMap<string, { readonly shape: readonly number[]; readonly dtype: DType }>;

/** The names of {@link LoadOptions}. */
export const LOAD_OPTIONS = ['strict', 'rename', 'allowNonFinite', 'onReport'] as const;

const FLOATS = ['F16', 'BF16', 'F32', 'F64'];
const INTEGERS = ['I8', 'I16', 'I32', 'I64', 'U8', 'U16', 'U32', 'U64'];

/**
 * The values of a state by the names of a model, as numbers, checked before anything is written: names, then shapes,
 * then dtypes, all that does not fit in one error; then values that are not finite, by name.
 */
export function loadable(
  what: string,
  state: ReadonlyMap<string, StateValue>,
  entries: readonly Entry[],
  places: Places,
  options: LoadOptions,
): Map<string, ArrayLike<number>> {
  const { strict = true, rename = (name) => name, allowNonFinite = false, onReport } = options;
  const found = renamed(what, state, rename);
  const firsts = new Map(entries.map(({ name, first }) => [name, first]));
  const given = new Set([...found.keys()].flatMap((name) => firsts.get(name) ?? []));
  // A tied parameter is there when it is there under one of its names.
  const missing = entries.filter(({ name, first }) => !found.has(name) && !given.has(first)).map(({ name }) => name);
  const unknown = [...found.keys()].filter((name) => !firsts.has(name));
  const own = entries.flatMap(({ name }): [string, StateValue][] =>
    found.has(name) ? [[name, found.get(name)!]] : [],
  );
  const shapes: string[] = [];
  const dtypes: string[] = [];
  for (const [name, { shape, data, dtype }] of own) {
    const place = places.get(firsts.get(name)!)!;
    if (!sameShape(place.shape, shape) || data.length !== sizeOf(place.shape)) {
      shapes.push(
        `${name} has shape [${shape}]${data.length === sizeOf(shape) ? '' : ` and ${data.length} values`}, ` +
          `the model has [${place.shape}]`,
      );
    }
    const fits = place.dtype === 'i32' ? INTEGERS : FLOATS;
    if (dtype !== undefined && !fits.includes(dtype))
      dtypes.push(`${name} is ${dtype}, expected ${place.dtype === 'i32' ? 'I64' : 'F32'}`);
  }
  const isNamed = !strict || (missing.length === 0 && unknown.length === 0);
  const problems = [
    ...(isNamed ? [] : [`missing [${missing}], not of this model [${unknown}]${prefixHint(missing, unknown)}`]),
    ...shapes,
    ...dtypes,
  ];
  if (problems.length)
    throw new (isNamed && !dtypes.length ? ShapeError : FormatError)(`${what}: ${problems.join('; ')}`);

  const values = new Map<string, ArrayLike<number>>();
  const sources = new Map<string, string>();
  const bad: string[] = [];
  for (const [name, { data, dtype }] of own) {
    const first = firsts.get(name)!;
    const numbers = numbersOf(data, dtype);
    const other = values.get(first);
    if (other && !sameValues(other, numbers))
      throw new FormatError(
        `${what}: ${sources.get(first)} and ${name} are one parameter in this model, and differ in what is loaded`,
      );
    values.set(first, numbers);
    sources.set(first, name);
    if (!allowNonFinite) bad.push(...problemOf(name, numbers, places.get(first)!.dtype));
  }
  if (bad.length)
    throw new NonFiniteError(`${what}: ${bad.join('; ')}; pass allowNonFinite: true to load it all the same`);
  onReport?.({
    missing,
    unknown,
    converted: own.flatMap(([name, { dtype }]) =>
      dtype === undefined || dtype === 'F32' || INTEGERS.includes(dtype) ? [] : [{ name, from: dtype }],
    ),
  });
  return values;
}

function renamed(
  what: string,
  state: ReadonlyMap<string, StateValue>,
  rename: (name: string) => string | null,
): Map<string, StateValue> {
  const found = new Map<string, StateValue>();
  const from = new Map<string, string>();
  for (const [name, value] of state) {
    const to = rename(name);
    if (to === null) continue;
    if (typeof to !== 'string')
      throw new TypeError(`${what}: rename gave ${String(to)} for ${name}, expected a name, or null to leave it out`);
    if (found.has(to)) throw new FormatError(`${what}: rename gave ${to} for both ${from.get(to)} and ${name}`);
    found.set(to, value);
    from.set(to, name);
  }
  return found;
}

/** What to do where all names differ by one prefix. */
function prefixHint(missing: readonly string[], unknown: readonly string[]): string {
  const wanted = new Set(missing);
  const strip = (from: readonly string[], to: (name: string) => boolean): string | undefined => {
    const [name] = from;
    for (let at = name?.indexOf('.') ?? -1; at >= 0; at = name!.indexOf('.', at + 1)) {
      const prefix = name!.slice(0, at + 1);
      if (from.every((n) => n.startsWith(prefix) && to(n.slice(prefix.length)))) return prefix;
    }
    return undefined;
  };
  const extra = strip(unknown, (name) => wanted.has(name));
  if (extra) return `; every name there begins with '${extra}': pass rename: (name) => name.slice(${extra.length})`;
  const there = new Set(unknown);
  const lacking = strip(missing, (name) => there.has(name));
  return lacking ? `; the names there lack '${lacking}': pass rename: (name) => '${lacking}' + name` : '';
}

/** Numbers of any stored type. F16 and BF16 may come as their bits. */
function numbersOf(data: ArrayLike<number | bigint>, dtype: string | undefined): ArrayLike<number> {
  if (data instanceof Uint16Array && (dtype === 'F16' || dtype === 'BF16'))
    return Float32Array.from(data, dtype === 'F16' ? fromHalf : fromBfloat16);
  return typeof data[0] === 'bigint'
    ? Float64Array.from(data as ArrayLike<bigint>, Number)
    : (data as ArrayLike<number>);
}

function sameValues(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let i = 0; i < a.length; i++) if (!Object.is(Math.fround(a[i]!), Math.fround(b[i]!))) return false;
  return true;
}

/** What is wrong with the first value that the model cannot hold as a finite number, if there is one. */
function problemOf(name: string, values: ArrayLike<number>, dtype: DType): string[] {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (dtype === 'i32' ? Number.isInteger(value) && Math.abs(value) < 2 ** 31 : Number.isFinite(Math.fround(value)))
      continue;
    return [`${name}[${i}] is ${value}${Number.isFinite(value) ? `, beyond ${dtype}` : ''}`];
  }
  return [];
}
