import { expectOptions } from '../check/options.ts';
import { FormatError, parseCsv } from '../io/index.ts';
import { listed, quote } from '../io/format-error.ts';
import { decodeText, expectText } from '../io/text.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { makeDataset, type Dataset } from './dataset.ts';
import { plainBytesOf, type Source } from './source.ts';

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
  /**
   * A name of the Encoding Standard, such as 'windows-1252'. Default: UTF-8, or UTF-16 where a byte-order mark says so.
   */
  encoding?: string;
  name?: string;
  signal?: AbortSignal;
  /** Cap on the bytes of the text. Default: 256 MiB; hosts hold texts of up to 512 MiB. */
  maxBytes?: number;
}

const OPTIONS = [
  'label',
  'header',
  'separator',
  'skip',
  'classes',
  'shape',
  'encoding',
  'name',
  'signal',
  'maxBytes',
] as const;

/** A dataset whose classes have names. */
export interface NamedDataset extends Dataset {
  /** Name of each class. */
  classNames: string[];
}

/**
 * A table as a dataset: each row an input of its numeric columns, x (n, features) float32 as they stand, and a class by
 * the name in its label column. Blanks around names, numbers and labels count for nothing. Rejects with FormatError,
 * naming row and column, on bytes that are no character, a field that is no finite number, a missing label, an unknown
 * class or column, or a table without rows; a workbook or an archive is named for what it is.
 */
export async function loadCsv(source: Source, options: LoadCsvOptions = {}): Promise<NamedDataset> {
  expectOptions('loadCsv', options, OPTIONS);
  const {
    label = -1,
    header = true,
    separator = ',',
    skip = [],
    classes,
    shape,
    encoding,
    name,
    signal,
    maxBytes = 2 ** 28,
  } = options;
  const bytes = await plainBytesOf(source, 'loadCsv: source', { signal, maxBytes });
  if (bytes.length > maxBytes)
    throw new FormatError(
      `loadCsv: the file has ${bytes.length} bytes, expected at most maxBytes, ${maxBytes}: split it`,
    );
  const rows = tableOf(bytes, separator, encoding, header);
  const names = header ? rows.shift()?.map((text) => text.trim()) : undefined;
  const width = names?.length ?? rows[0]?.length ?? 0;
  if (rows.length === 0) throw new FormatError('loadCsv: the table has no rows, expected at least one');
  const column = (key: string | number): number => {
    const at = typeof key === 'string' ? (names?.indexOf(key.trim()) ?? -1) : key < 0 ? width + key : key;
    if (!Number.isInteger(at) || at < 0 || at >= width)
      throw new FormatError(
        `loadCsv: no column ${typeof key === 'string' ? quote(key) : key}, expected ` +
          `${names ? `one of ${listed(names)}` : `a number below ${width}`}`,
      );
    if (typeof key === 'string' && names!.indexOf(names![at]!, at + 1) >= 0)
      throw new FormatError(`loadCsv: two columns are named ${quote(key)}, expected one: give its number`);
    return at;
  };
  const place = (r: number, c: number): string => `loadCsv: row ${r + 1}, column ${names ? listed([names[c]!]) : c}`;
  const classColumn = column(label);
  const left = new Set([classColumn, ...skip.map(column)]);
  const columns = Array.from({ length: width }, (_, i) => i).filter((i) => !left.has(i));
  if (columns.length === 0) throw new FormatError('loadCsv: no column is left for the inputs');
  const values = new Float32Array(rows.length * columns.length);
  rows.forEach((row, r) =>
    columns.forEach((c, i) => {
      const value = row[c]!.trim() === '' ? NaN : Number(row[c]);
      if (!Number.isFinite(Math.fround(value)))
        throw new FormatError(`${place(r, c)}: ${quote(row[c]!)} is no finite number`);
      values[r * columns.length + i] = value;
    }),
  );
  const labels = rows.map((row, r) => {
    const text = row[classColumn]!.trim();
    if (text === '') throw new FormatError(`${place(r, classColumn)}: the label is missing`);
    return text;
  });
  const classNames = classes ? [...classes] : sortedNames(new Set(labels));
  const number = new Map(classNames.map((n, i) => [n.trim(), i]));
  if (number.size < classNames.length)
    throw new RangeError(`loadCsv: classes are ${listed(classNames)}, expected names that differ`);
  const y = labels.map((text, r) => {
    const found = number.get(text);
    if (found === undefined)
      throw new FormatError(`loadCsv: row ${r + 1}: class ${quote(text)} is none of ${listed(classNames)}`);
    return found;
  });
  const inner = shape ?? [columns.length];
  if (inner.reduce((a, b) => a * b, 1) !== columns.length)
    throw new FormatError(
      `loadCsv: shape is [${inner}], expected as many elements as there are input columns, ${columns.length}`,
    );
  return {
    ...makeDataset(new NdArray(values, [rows.length, ...inner]), y, {
      numClasses: classNames.length,
      ...(name !== undefined && { name }),
    }),
    classNames,
  };
}

function tableOf(bytes: Uint8Array, separator: string, encoding: string | undefined, header: boolean): string[][] {
  expectText(bytes, 'loadCsv');
  const { text, badAt, bad, encoding: found } = decodeText(bytes, encoding);
  const wrong = badAt >= 0 ? badAt : text.indexOf('\0');
  if (wrong >= 0) {
    const what =
      badAt >= 0
        ? `${bad} is not valid ${found.toUpperCase()}`
        : 'a byte is 0: is the file UTF-16 without a byte-order mark, or no text?';
    const advice =
      badAt >= 0 && !encoding ? "; save the file as UTF-8, or say what it is, such as encoding: 'windows-1252'" : '';
    throw new FormatError(`loadCsv: ${placeOf(text.slice(0, wrong), separator, header)}: ${what}${advice}`);
  }
  return parseCsv(text, { separator });
}

/** Row and column, by name where the first row has one, of what follows `before`. */
function placeOf(before: string, separator: string, header: boolean): string {
  let [row, column, first, isQuoted] = [0, 0, -1, false];
  const names = [''];
  for (let i = before.charCodeAt(0) === 0xfeff ? 1 : 0; i < before.length; i++) {
    const c = before[i]!;
    if (c === '"') isQuoted = !isQuoted;
    else if (!isQuoted && c === '\n') {
      // A blank line is no row.
      if (before.slice(first + 1, i).replace('\r', '') !== '') row++;
      [column, first] = [0, i];
    } else if (!isQuoted && c === separator) {
      column++;
      if (row === 0) names.push('');
    } else if (row === 0) names[column] += c;
  }
  if (!header) return `row ${row + 1}, column ${column}`;
  return row === 0
    ? `the names of the columns, number ${column}`
    : `row ${row}, column ${listed([names[column]?.trim() || String(column)])}`;
}

function sortedNames(found: ReadonlySet<string>): string[] {
  const all = [...found];
  const isNumeric = all.every((n) => Number.isFinite(Number(n)));
  if (!isNumeric) return all.sort((a, b) => (a < b ? -1 : 1));
  all.sort((a, b) => Number(a) - Number(b));
  const duplicate = all.findIndex((n, i) => i > 0 && Number(n) === Number(all[i - 1]));
  if (duplicate > 0)
    throw new FormatError(
      `loadCsv: labels ${quote(all[duplicate - 1]!)} and ${quote(all[duplicate]!)} are one number, expected one ` +
        'spelling of it, or classes that list both',
    );
  return all;
}
