import { FormatError } from './format-error.ts';

/** Symbols of a canonical Huffman code: how many of each length, and the symbols in order of their codes. */
interface Code {
  counts: Uint16Array;
  symbols: Uint16Array;
}

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Bits of bytes, the lowest first. */
class Bits {
  #file: Uint8Array;
  #at: number;
  #left = 0;
  #byte = 0;

  constructor(file: Uint8Array, at: number) {
    this.#file = file;
    this.#at = at;
  }

  /** The next `n` bits as a number. */
  take(n: number): number {
    let value = 0;
    for (let i = 0; i < n; i++) {
      if (this.#left === 0) {
        if (this.#at >= this.#file.length) throw new FormatError('deflate: truncated');
        this.#byte = this.#file[this.#at++]!;
        this.#left = 8;
      }
      value |= (this.#byte & 1) << i;
      this.#byte >>= 1;
      this.#left--;
    }
    return value;
  }

  /** Skips to the next byte and over `n` more; the place there. */
  skipBytes(n: number): number {
    this.#left = 0;
    this.#at += n;
    if (this.#at > this.#file.length) throw new FormatError('deflate: truncated');
    return this.#at;
  }

  symbol({ counts, symbols }: Code): number {
    for (let length = 1, code = 0, first = 0, index = 0; length <= 15; length++) {
      code |= this.take(1);
      const count = counts[length]!;
      if (code - count < first) return symbols[index + code - first]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new FormatError('deflate: no such code');
  }
}

function codeOf(lengths: ArrayLike<number>): Code {
  const counts = new Uint16Array(16);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i]!]!++;
  counts[0] = 0;
  for (let length = 1, room = 1; length <= 15; length++) {
    room = 2 * room - counts[length]!;
    if (room < 0) throw new FormatError('deflate: more codes than bits');
  }
  const next = new Uint16Array(17);
  for (let length = 1; length <= 15; length++) next[length + 1] = next[length]! + counts[length]!;
  const symbols = new Uint16Array(lengths.length);
  for (let i = 0; i < lengths.length; i++) if (lengths[i] !== 0) symbols[next[lengths[i]!]!++] = i;
  return { counts, symbols };
}

const fixedCodes = (): [Code, Code] => [
  codeOf(Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))),
  codeOf(new Uint8Array(30).fill(5)),
];

function dynamicCodes(bits: Bits): [Code, Code] {
  const [literals, distances, count] = [bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4];
  const own = new Uint8Array(19);
  for (let i = 0; i < count; i++) own[ORDER[i]!] = bits.take(3);
  const code = codeOf(own);
  const lengths = new Uint8Array(literals + distances);
  for (let i = 0; i < lengths.length;) {
    const symbol = bits.symbol(code);
    if (symbol < 16) lengths[i++] = symbol;
    else {
      if (symbol === 16 && i === 0) throw new FormatError('deflate: a repeat of nothing');
      const value = symbol === 16 ? lengths[i - 1]! : 0;
      const end = i + (symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7));
      if (end > lengths.length) throw new FormatError('deflate: too many code lengths');
      lengths.fill(value, i, end);
      i = end;
    }
  }
  return [codeOf(lengths.subarray(0, literals)), codeOf(lengths.subarray(literals))];
}

/**
 * Where the deflate stream (RFC 1951) that begins at `start` ends, and how many bytes it stands for; it is read and not
 * inflated, so that the cost is known before memory is taken. Stops with the size so far when that is above `maxBytes`.
 * Throws FormatError where the stream is cut or its codes are none.
 */
export function measureDeflate(file: Uint8Array, start: number, maxBytes: number): { end: number; size: number } {
  const bits = new Bits(file, start);
  let size = 0;
  for (let last = false; !last && size <= maxBytes;) {
    last = bits.take(1) === 1;
    const type = bits.take(2);
    if (type === 3) throw new FormatError('deflate: block type 3');
    if (type === 0) {
      const at = bits.skipBytes(4);
      const length = file[at - 4]! | (file[at - 3]! << 8);
      if ((length ^ (file[at - 2]! | (file[at - 1]! << 8))) !== 0xffff)
        throw new FormatError('deflate: a stored length and its complement differ');
      bits.skipBytes(length);
      size += length;
      continue;
    }
    const [literals, distances] = type === 1 ? fixedCodes() : dynamicCodes(bits);
    while (size <= maxBytes) {
      const symbol = bits.symbol(literals);
      if (symbol === 256) break;
      if (symbol < 256) size++;
      else {
        if (symbol > 285) throw new FormatError('deflate: no such length');
        size += LENGTH_BASE[symbol - 257]! + bits.take(LENGTH_EXTRA[symbol - 257]!);
        const distance = bits.symbol(distances);
        if (distance > 29) throw new FormatError('deflate: no such distance');
        bits.take(Math.max(0, (distance >> 1) - 1));
      }
    }
  }
  return { end: bits.skipBytes(0), size };
}
