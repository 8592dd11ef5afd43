import { checkOptions, integer } from '../check/check.ts';
import { asBytes, safeSize, type Bytes } from './bytes.ts';
import { brief, FormatError, quote } from './format-error.ts';
import {
  FORBIDDEN_NAMES,
  METADATA_KEY,
  STORAGE,
  type Safetensors,
  type SafetensorsTensor,
  type SafetensorsType,
} from './safetensors-types.ts';

/** Default cap on the header: 16 MiB. */
const MAX_HEADER_BYTES = 2 ** 24;

interface Entry {
  name: string;
  dtype: SafetensorsType;
  shape: number[];
  begin: number;
  end: number;
}

/**
 * Reads a safetensors file (Hugging Face, format 0.x): u64 little-endian header length, JSON header
 * `{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {string: string}}`, then the data, little-endian.
 * The header is at most `maxHeaderBytes` (default 16 MiB). Tensors are copied, so their alignment in the file is free;
 * values are not inspected (NaN passes). Half and 8-bit floats are handed out as their bits, 64-bit integers as
 * bigints; `safetensorsNumbers` makes numbers of every dtype.
 * Throws FormatError unless: the file holds the header it announces; the header starts with `{` and is UTF-8 and JSON;
 * every entry has a known dtype, a shape of non-negative integers, and as many bytes as these need; the sorted offsets
 * run from 0 to the end of the file without hole or overlap; the metadata are strings; no name comes twice; none is
 * `__proto__`, `constructor` or `prototype`.
 */
export function decodeSafetensors(bytes: Bytes, options: { maxHeaderBytes?: number } = {}): Safetensors {
  checkOptions('decodeSafetensors', options, { maxHeaderBytes: integer(0) });
  const { maxHeaderBytes = MAX_HEADER_BYTES } = options;
  const file = asBytes(bytes, 'decodeSafetensors');
  const { header, start } = readHeader(file, maxHeaderBytes);
  const metadata = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA_KEY) readMetadata(value, metadata);
    else entries.push(readEntry(name, value));
  }
  checkLayout(entries, file.length - start);

  const tensors = new Map<string, SafetensorsTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const data = new (STORAGE.get(dtype)!)(file.slice(start + begin, start + end).buffer);
    tensors.set(name, { dtype, shape, data } as SafetensorsTensor);
  }
  return { tensors, metadata };
}

function readHeader(file: Uint8Array, maxHeaderBytes: number): { header: object; start: number } {
  if (file.length < 8) throw new FormatError(`decodeSafetensors: file has ${file.length} bytes, expected at least 8`);
  const length = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes))
    throw new FormatError(`decodeSafetensors: header length is ${length}, expected at most ${maxHeaderBytes}`);
  const start = 8 + Number(length);
  if (start > file.length)
    throw new FormatError(
      `decodeSafetensors: header length is ${length}, expected at most the ${file.length - 8} bytes that follow it`,
    );
  if (file[8] !== 0x7b || length === 0n) throw new FormatError(`decodeSafetensors: header does not start with '{'`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(8, start));
  } catch (cause) {
    throw new FormatError('decodeSafetensors: header is not valid UTF-8', { cause });
  }
  let header: object;
  try {
    header = JSON.parse(text) as object;
  } catch (cause) {
    throw new FormatError('decodeSafetensors: header is not valid JSON', { cause });
  }
  expectDistinctKeys(text);
  return { header, start };
}

/** Throws when an object of a valid JSON text has a key twice; JSON.parse takes the last. */
function expectDistinctKeys(text: string): void {
  const open: (Set<string> | null)[] = []; // the keys of each object that is open; null for an array
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{') open.push(new Set());
    else if (c === '[') open.push(null);
    else if (c === '}' || c === ']') open.pop();
    else if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      let next = i + 1;
      while (' \t\n\r'.includes(text[next]!)) next++;
      if (text[next] !== ':') continue;
      const [name, keys] = [JSON.parse(text.slice(start, i + 1)) as string, open.at(-1)];
      if (keys?.has(name)) throw new FormatError(`decodeSafetensors: name ${quote(name)} comes twice, expected once`);
      keys?.add(name);
    }
  }
}

function readMetadata(value: unknown, metadata: Map<string, string>): void {
  if (!isRecord(value))
    throw new FormatError(`decodeSafetensors: ${METADATA_KEY} is ${kind(value)}, expected an object`);
  for (const [key, text] of Object.entries(value)) {
    checkName(key);
    if (typeof text !== 'string')
      throw new FormatError(`decodeSafetensors: ${METADATA_KEY} ${quote(key)} is ${kind(text)}, expected a string`);
    metadata.set(key, text);
  }
}

function readEntry(name: string, value: unknown): Entry {
  checkName(name);
  const where = `decodeSafetensors: tensor ${quote(name)}`;
  if (!isRecord(value)) throw new FormatError(`${where} is ${kind(value)}, expected an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const storage = typeof dtype === 'string' ? STORAGE.get(dtype) : undefined;
  if (!storage)
    throw new FormatError(
      `${where} has dtype ${typeof dtype === 'string' ? quote(dtype) : kind(dtype)}, expected one of ` +
        `${[...STORAGE.keys()].join(' ')}`,
    );
  if (!isCounts(shape))
    throw new FormatError(`${where} has no valid shape, expected an array of non-negative integers`);
  if (!isCounts(offsets) || offsets.length !== 2)
    throw new FormatError(`${where} has no valid data_offsets, expected two non-negative integers`);
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw new FormatError(`${where} has data_offsets [${begin},${end}], expected begin <= end`);
  const size = safeSize([...shape, storage.BYTES_PER_ELEMENT]);
  if (size === null)
    throw new FormatError(`${where} has shape [${brief(shape)}], expected a product that is a safe integer`);
  if (size !== end - begin)
    throw new FormatError(
      `${where} has ${end - begin} bytes, expected ${size} for ${dtype as string} [${brief(shape)}]`,
    );
  return { name, dtype: dtype as SafetensorsType, shape, begin, end };
}

function checkLayout(entries: readonly Entry[], dataBytes: number): void {
  let reached = 0;
  for (const { name, begin, end } of [...entries].sort((p, q) => p.begin - q.begin || p.end - q.end)) {
    if (begin !== reached) {
      throw new FormatError(
        `decodeSafetensors: tensor ${quote(name)} begins at ${begin}, expected ${reached} ` +
          `(${begin > reached ? 'hole' : 'overlap'})`,
      );
    }
    reached = end;
  }
  if (reached !== dataBytes)
    throw new FormatError(`decodeSafetensors: tensors end at ${reached}, expected the end of the data at ${dataBytes}`);
}

function checkName(name: string): void {
  if (FORBIDDEN_NAMES.has(name)) throw new FormatError(`decodeSafetensors: name ${quote(name)} is not allowed`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function kind(value: unknown): string {
  return value === null
    ? 'null'
    : Array.isArray(value)
      ? 'an array'
      : value === undefined
        ? 'missing'
        : `a ${typeof value}`;
}
