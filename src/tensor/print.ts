/** Numbers in lists of lists, as deep as the shape has axes; of a scalar the number. */
export type NestedArray = number | NestedArray[];

/** The method by which Node's console asks an object how to show it. */
export const nodeInspect = Symbol.for('nodejs.util.inspect.custom');

/** Values that are all shown; of more, the first and last {@link EDGE} along each axis, as NumPy does. */
const MOST = 1000;
const EDGE = 3;
const WIDTH = 80;

/** Values for the reader, some left out. */
export type Excerpt = number | '..' | Excerpt[];

/** Row-major values as lists of lists. */
export function nest(data: ArrayLike<number>, shape: readonly number[]): NestedArray {
  return excerptOf(data, shape, Infinity) as NestedArray;
}

/** What {@link printed} shows of row-major values: all, or the ends of each axis when there are more than `most`. */
export function excerptOf(data: ArrayLike<number>, shape: readonly number[], most = MOST): Excerpt {
  const isCut = data.length > most;
  const from = (axis: number, at: number, size: number): Excerpt => {
    if (axis === shape.length) return data[at]!;
    const length = shape[axis]!;
    const step = size / length;
    const out: Excerpt[] = [];
    for (let i = 0; i < length; i++) {
      if (isCut && length > 2 * EDGE && i === EDGE) {
        out.push('..');
        i = length - EDGE;
      }
      out.push(from(axis + 1, at + i * step, step));
    }
    return out;
  };
  return from(0, 0, data.length);
}

const textOf = (v: number | '..', isBool: boolean): string => {
  if (v === '..') return v;
  if (isBool) return v ? 'true' : 'false';
  return Object.is(v, -0) ? '-0' : Number.isInteger(v) ? String(v) : String(Number(v.toPrecision(6)));
};

/**
 * `Tensor f32 [2,2]` and the values in columns, six digits each: for consoles. `notes` follow the shape.
 */
export function printed(
  name: string,
  dtype: string,
  shape: readonly number[],
  values: Excerpt | undefined,
  notes: readonly string[] = [],
): string {
  const head = [name, dtype, `[${shape}]`, ...notes].join(' ');
  if (values === undefined) return head;
  let widest = 0;
  const texts = (v: Excerpt): string | Texts => {
    if (Array.isArray(v)) return v.map(texts);
    const text = textOf(v, dtype === 'bool');
    if (v !== '..') widest = Math.max(widest, text.length);
    return text;
  };
  const all = texts(values);
  if (typeof all === 'string') return `${head} ${all}`;
  return `${head}\n${block(all, 1, widest)}`;
}

type Texts = (string | Texts)[];

/** A list in brackets, `depth` of them open, with its elements aligned. */
function block(list: Texts, depth: number, width: number): string {
  const indent = ' '.repeat(depth);
  if (list.some(Array.isArray)) {
    const rows = list.map((row) => (typeof row === 'string' ? row : block(row, depth + 1, width)));
    const isDeep = list.some((row) => Array.isArray(row) && row.some(Array.isArray));
    return `[${rows.join(`,\n${isDeep ? '\n' : ''}${indent}`)}]`;
  }
  const lines = [''];
  list.forEach((text, i) => {
    const cell = (text === '..' ? text : (text as string).padStart(width)) + (i < list.length - 1 ? ',' : '');
    const line = lines.at(-1)!;
    if (line && depth + line.length + cell.length + 2 > WIDTH) lines.push(cell);
    else lines[lines.length - 1] = line ? `${line} ${cell}` : cell;
  });
  return `[${lines.join(`\n${indent}`)}]`;
}
