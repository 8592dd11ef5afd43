import { FormatError, gunzip, isGzip, parseCsv } from '../io/index.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { makeDataset, type Dataset } from './dataset.ts';
import { bytesOf, type Source } from './source.ts';

/** Options of {@link loadCsv}. */
export interface LoadCsvOptions {
  /** Column of the class: its name, or its number from 0, negative from the end. Default: -1, the last. */
  label?: string | number;
  /** Whether the first row holds names. Default: true. */
  header?: boolean;
  /** Between fields. Default: ','. */
  separator?: string;
  /** Columns to leave out, by name or number. */
  skip?: readonly (string | number)[];
  /** Names of the classes in their order. Default: those found, sorted; numerically when all are numbers. */
  classes?: readonly string[];
  /** Shape of one input. Default: [number of feature columns]. */
  shape?: readonly number[];
  name?: string;
  signal?: AbortSignal;
}

/** A dataset whose classes have names. */
export interface NamedDataset extends Dataset {
  /** Name of each class. */
  classNames: string[];
}

/**
 * A table as a dataset: each row an input of its numeric columns, x (n, features) float32 as they stand, and a class by the
 * name in its label column. Rejects with FormatError, naming row and column, on a field that is no finite number, an unknown
 * class or column, or a table without rows.
 */
export async function loadCsv(source: Source, { label = -1, header = true, separator = ',', skip = [], classes, shape, name, signal }: LoadCsvOptions = {}): Promise<NamedDataset> {
  const bytes = await bytesOf(source, 'loadCsv: source', signal);
  const rows = parseCsv(new TextDecoder().decode(isGzip(bytes) ? await gunzip(bytes) : bytes), { separator });
  const names = header ? rows.shift() : undefined;
  const width = names?.length ?? rows[0]?.length ?? 0;
  if (rows.length === 0) throw new FormatError('loadCsv: the table has no rows, expected at least one');
  const column = (key: string | number): number => {
    const at = typeof key === 'string' ? (names?.indexOf(key) ?? -1) : key < 0 ? width + key : key;
    if (!Number.isInteger(at) || at < 0 || at >= width) throw new FormatError(`loadCsv: no column ${JSON.stringify(key)}, expected ${names ? `one of ${names.join(', ')}` : `a number below ${width}`}`);
    return at;
  };
  const classColumn = column(label);
  const left = new Set([classColumn, ...skip.map(column)]);
  const columns = Array.from({ length: width }, (_, i) => i).filter((i) => !left.has(i));
  if (columns.length === 0) throw new FormatError('loadCsv: no column is left for the inputs');
  const values = new Float32Array(rows.length * columns.length);
  rows.forEach((row, r) =>
    columns.forEach((c, i) => {
      const value = row[c]!.trim() === '' ? NaN : Number(row[c]);
      if (!Number.isFinite(Math.fround(value))) throw new FormatError(`loadCsv: row ${r + 1}, column ${names?.[c] ?? c}: ${JSON.stringify(row[c])} is no finite number`);
      values[r * columns.length + i] = value;
    }),
  );
  const classNames = classes ? [...classes] : sortedNames(new Set(rows.map((row) => row[classColumn]!)));
  const number = new Map(classNames.map((n, i) => [n, i]));
  const y = rows.map((row, r) => {
    const found = number.get(row[classColumn]!);
    if (found === undefined) throw new FormatError(`loadCsv: row ${r + 1}: class ${JSON.stringify(row[classColumn])} is none of ${classNames.join(', ')}`);
    return found;
  });
  const inner = shape ?? [columns.length];
  if (inner.reduce((a, b) => a * b, 1) !== columns.length) throw new FormatError(`loadCsv: shape is [${inner}], expected as many elements as there are input columns, ${columns.length}`);
  return { ...makeDataset(new NdArray(values, [rows.length, ...inner]), y, { numClasses: classNames.length, ...(name !== undefined && { name }) }), classNames };
}

function sortedNames(found: ReadonlySet<string>): string[] {
  const all = [...found];
  const numeric = all.every((n) => n.trim() !== '' && Number.isFinite(Number(n)));
  return all.sort((a, b) => (numeric ? Number(a) - Number(b) : a < b ? -1 : 1));
}
