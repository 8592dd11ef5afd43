import { asBytes, type Bytes } from './bytes.ts';
import { FormatError } from './format-error.ts';

/** A text, and where the first characters are that its bytes do not spell. */
export interface DecodedText {
  /** Without its byte-order mark; U+FFFD for what is no character. */
  text: string;
  /** 'utf-8', 'utf-16le', 'utf-16be' or the encoding that was asked for. */
  encoding: string;
  /** Index in `text` of the first U+FFFD that the file does not hold; -1 when there is none. */
  badAt: number;
  /** The byte there, 'byte e9'; for UTF-16 'half a character'. */
  bad: string;
}

/**
 * The text of a file in UTF-8, or in UTF-16 where a byte-order mark says so, or in `encoding`, a name of the Encoding
 * Standard such as 'windows-1252'. Throws RangeError on an encoding that the host does not know.
 */
export function decodeText(bytes: Bytes, encoding?: string): DecodedText {
  const file = asBytes(bytes, 'decodeText');
  const mark =
    file[0] === 0xff && file[1] === 0xfe ? 'utf-16le' : file[0] === 0xfe && file[1] === 0xff ? 'utf-16be' : null;
  const decoder = new TextDecoder(mark ?? encoding ?? 'utf-8');
  const text = decoder.decode(file);
  let badAt = text.indexOf('\ufffd');
  let bad = '';
  if (decoder.encoding === 'utf-8') {
    const encoder = new TextEncoder();
    let [at, done] = [file[0] === 0xef && file[1] === 0xbb && file[2] === 0xbf ? 3 : 0, 0];
    for (; badAt >= 0; badAt = text.indexOf('\ufffd', badAt + 1)) {
      at += encoder.encode(text.slice(done, badAt)).length;
      if (!(file[at] === 0xef && file[at + 1] === 0xbf && file[at + 2] === 0xbd)) break;
      [at, done] = [at + 3, badAt + 1];
    }
    bad = `byte ${(file[at] ?? 0).toString(16).padStart(2, '0')}`;
  } else if (mark) {
    const [low, high] = mark === 'utf-16le' ? [0, 1] : [1, 0];
    const unit = (i: number): number => file[2 * i + 2 + low]! | (file[2 * i + 2 + high]! << 8);
    while (badAt >= 0 && unit(badAt) === 0xfffd) badAt = text.indexOf('\ufffd', badAt + 1);
    bad = 'half a character';
  } else bad = 'a byte';
  return { text, encoding: decoder.encoding, badAt, bad };
}

/** Formats that are taken for text, by their first bytes, and what to do about them. */
const KINDS: readonly [name: string, advice: string, start: readonly number[]][] = [
  ['an old Excel workbook (xls)', 'export the sheet as CSV', [0xd0, 0xcf, 0x11, 0xe0]],
  ['a Parquet file', 'write it as CSV', [0x50, 0x41, 0x52, 0x31, 0x15]],
  ['a PDF', 'export the table as CSV', [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ['a gzip file inside another', 'unpack it', [0x1f, 0x8b, 0x08]],
  ['a bzip2 file', 'unpack it', [0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59]],
  ['an xz file', 'unpack it', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['a Zstandard file', 'unpack it', [0x28, 0xb5, 0x2f, 0xfd]],
  ['a NumPy array (npy)', 'read it with decodeNpy', [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]],
];

/** Throws FormatError with a sentence that says what the file is when it is of a known format that is not text. */
export function expectText(bytes: Bytes, where: string): void {
  const file = asBytes(bytes, where);
  const [name, advice] =
    file[0] === 0x50 && file[1] === 0x4b && (file[2] === 3 || file[2] === 5)
      ? zipKind(file)
      : (KINDS.find(([, , start]) => start.every((byte, i) => file[i] === byte)) ?? []);
  if (name) throw new FormatError(`${where}: the file is ${name}, expected text: ${advice}`);
}

function zipKind(file: Uint8Array): [name: string, advice: string] {
  const names =
    new TextDecoder('latin1').decode(file.subarray(0, 2 ** 16)) +
    new TextDecoder('latin1').decode(file.subarray(-(2 ** 16)));
  if (names.includes('xl/w')) return ['an Excel workbook (xlsx)', 'export the sheet as CSV'];
  if (names.includes('opendocument.spreadsheet'))
    return ['an OpenDocument spreadsheet (ods)', 'export the sheet as CSV'];
  if (names.includes('.npy')) return ['an archive of NumPy arrays (npz)', 'read it with decodeNpz'];
  return ['a zip archive', 'unpack it'];
}
