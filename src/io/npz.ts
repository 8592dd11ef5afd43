import { checkOptions, integer } from '../check/check.ts';
import { asBytes, type Bytes } from './bytes.ts';
import { crc32 } from './crc32.ts';
import { FormatError, quote } from './format-error.ts';
import { gunzip } from './gzip.ts';
import { decodeNpy, encodeNpy, type NpyArray, type NpyInput } from './npy.ts';

/** Default cap on all arrays of a file together: 1 GiB. */
const MAX_BYTES = 2 ** 30;

const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];

interface Entry {
  name: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  at: number;
}

/**
 * Reads a .npz file, as `numpy.savez` and `savez_compressed` write it: a zip archive of .npy files, stored or deflated.
 * Arrays by their names, without `.npy`, of at most `maxBytes` together (default 1 GiB), which the sizes in the
 * directory bound. Rejects with FormatError on another file, an entry that is encrypted, packed otherwise, corrupt, no
 * array or named twice.
 */
export async function decodeNpz(bytes: Bytes, options: { maxBytes?: number } = {}): Promise<Map<string, NpyArray>> {
  checkOptions('decodeNpz', options, { maxBytes: integer(0) });
  const { maxBytes = MAX_BYTES } = options;
  const file = asBytes(bytes, 'decodeNpz');
  const entries = directoryOf(file);
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > maxBytes)
    throw new FormatError(`decodeNpz: arrays of ${total} bytes, expected at most ${maxBytes}, maxBytes`);
  const arrays = new Map<string, NpyArray>();
  for (const entry of entries) {
    const name = entry.name.replace(/\.npy$/, '');
    if (arrays.has(name)) throw new FormatError(`decodeNpz: two entries are named ${quote(name)}, expected one`);
    try {
      arrays.set(name, decodeNpy(await contentOf(file, entry)));
    } catch (cause) {
      if (cause instanceof FormatError)
        throw new FormatError(`decodeNpz: ${quote(name)}: ${cause.message}`.slice(0, 300), { cause });
      throw cause;
    }
  }
  return arrays;
}

/** The entries of a zip archive by its central directory (PKWARE APPNOTE; sizes of zip64 where the entry has them). */
function directoryOf(file: Uint8Array): Entry[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let end = file.length - 22;
  const lowest = Math.max(0, end - 0xffff);
  while (end >= lowest && view.getUint32(end, true) !== END) end--;
  if (end < lowest)
    throw new FormatError('decodeNpz: the file has no zip directory, expected an .npz file (is it cut?)');
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL)
      throw new FormatError(`decodeNpz: entry ${i} of the directory is none`);
    const [nameBytes, extraBytes, noteBytes] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true)) as [
      number,
      number,
      number,
    ];
    const next = at + 46 + nameBytes + extraBytes + noteBytes;
    if (next > end) throw new FormatError(`decodeNpz: entry ${i} of the directory is cut`);
    const name = new TextDecoder().decode(file.subarray(at + 46, at + 46 + nameBytes));
    if (view.getUint16(at + 8, true) & 1)
      throw new FormatError(`decodeNpz: ${quote(name)} is encrypted, expected a plain entry`);
    const entry = {
      name,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      at: view.getUint32(at + 42, true),
    };
    readZip64(view, at + 46 + nameBytes, extraBytes, entry);
    entries.push(entry);
    at = next;
  }
  return entries;
}

/** Puts the 64-bit sizes of an extra field in the place of those that are 2^32 - 1. */
function readZip64(view: DataView, start: number, length: number, entry: Entry): void {
  for (let at = start; at + 4 <= start + length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let field = at + 4;
    for (const key of ['size', 'packed', 'at'] as const) {
      if (entry[key] !== 0xffffffff) continue;
      if (field + 8 > start + length) throw new FormatError(`decodeNpz: ${quote(entry.name)} lacks its 64-bit sizes`);
      entry[key] = Number(view.getBigUint64(field, true));
      field += 8;
    }
    return;
  }
}

async function contentOf(
  file: Uint8Array<ArrayBuffer>,
  { method, crc, packed, size, at }: Entry,
): Promise<Uint8Array<ArrayBuffer>> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (at + 30 > file.length || view.getUint32(at, true) !== LOCAL) throw new FormatError('its place holds no entry');
  const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (start + packed > file.length)
    throw new FormatError(`${packed} bytes at ${start}, expected them within the ${file.length} of the file`);
  const raw = file.subarray(start, start + packed);
  if (method === 0) {
    if (packed !== size) throw new FormatError(`stored in ${packed} bytes, expected its size, ${size}`);
    if (crc32(raw) !== crc) throw new FormatError('its checksum is wrong');
    return raw;
  }
  if (method !== 8) throw new FormatError(`packed by method ${method}, expected 0 (stored) or 8 (deflate)`);
  // A gzip member around the deflate stream: every host inflates it and checks the sum.
  const member = new Uint8Array(packed + 18);
  member.set([0x1f, 0x8b, 8]);
  member.set(raw, 10);
  const trailer = new DataView(member.buffer, packed + 10);
  trailer.setUint32(0, crc, true);
  trailer.setUint32(4, size % 2 ** 32, true);
  return gunzip(member, { maxBytes: size });
}

/**
 * Writes arrays as an .npz file, as `numpy.savez` does: stored, `numpy.load` gives them by their names. Throws
 * RangeError on a name that is empty or a file of more than 4 GiB, and what {@link encodeNpy} throws.
 */
export function encodeNpz(
  arrays: ReadonlyMap<string, NpyInput> | Readonly<Record<string, NpyInput>>,
): Uint8Array<ArrayBuffer> {
  const named = arrays instanceof Map ? [...arrays] : Object.entries(arrays as Record<string, NpyInput>);
  let at = 0;
  const files = named.map(([key, array]) => {
    if (key === '') throw new RangeError('encodeNpz: a name is empty, expected at least one character');
    const file = { name: new TextEncoder().encode(`${key}.npy`), data: encodeNpy(array), at, crc: 0 };
    file.crc = crc32(file.data);
    at += 30 + file.name.length + file.data.length;
    return file;
  });
  const size = files.reduce((sum, { name }) => sum + 46 + name.length, at + 22);
  if (size > 0xffffffff || files.length > 0xffff)
    throw new RangeError(`encodeNpz: ${files.length} arrays of ${size} bytes, expected at most 65535 and 4 GiB`);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let end = at;
  for (const { name, data, at: start, crc } of files) {
    // version needed, flags (names are UTF-8), method, time, date (1980-01-01), checksum, sizes, length of the name
    for (const [offset, signature] of [
      [start, LOCAL],
      [end, CENTRAL],
    ] as const) {
      const fields = offset + (signature === LOCAL ? 4 : 6);
      view.setUint32(offset, signature, true);
      [20, 0x800, 0, 0, 0x21].forEach((value, i) => view.setUint16(fields + 2 * i, value, true));
      [crc, data.length, data.length].forEach((value, i) => view.setUint32(fields + 10 + 4 * i, value, true));
      view.setUint16(fields + 22, name.length, true);
    }
    view.setUint16(end + 4, 20, true);
    view.setUint32(end + 42, start, true);
    out.set(name, start + 30);
    out.set(data, start + 30 + name.length);
    out.set(name, end + 46);
    end += 46 + name.length;
  }
  view.setUint32(end, END, true);
  view.setUint16(end + 8, files.length, true);
  view.setUint16(end + 10, files.length, true);
  view.setUint32(end + 12, end - at, true);
  view.setUint32(end + 16, at, true);
  return out;
}
