import { expectOptions } from '../check/options.ts';
import { asBytes, type Bytes } from './bytes.ts';
import { crc32 } from './crc32.ts';
import { FormatError } from './format-error.ts';
import { inflateInto, LARGEST_RATIO } from './gzip.ts';

/** A decoded picture: 3 bytes a pixel, red, green and blue, row-major. */
export interface RgbPicture {
  width: number;
  height: number;
  data: Uint8Array<ArrayBuffer>;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Samples of a pixel and the bit depths of each colour type: grey, RGB, palette, grey with alpha, RGB with alpha. */
const COLOURS: Readonly<Record<number, { samples: number; depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};

/** Passes of Adam7: first column and row, steps. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Default cap on the pixels: 2^27, a picture of 11,585 x 11,585. */
const MAX_PIXELS = 2 ** 27;

interface Header {
  width: number;
  height: number;
  depth: number;
  colour: number;
  samples: number;
  isInterlaced: boolean;
}

/** True when `bytes` start with the PNG signature. */
export function isPng(bytes: Bytes): boolean {
  const file = asBytes(bytes, 'isPng');
  return SIGNATURE.every((byte, i) => file[i] === byte);
}

/**
 * The pixels of a PNG file as Pillow's convert('RGB') gives them: stored values, without gamma, profile or rotation;
 * alpha and transparent colours are dropped and the colours below them kept; the high byte of 16-bit samples (of 16-bit
 * grey too, where Pillow clips). At most `maxPixels` (default 2^27), which the header bounds before memory is taken.
 * Rejects with FormatError on a file that is none, is cut, or whose checksums are wrong.
 */
export async function decodePng(bytes: Bytes, options: { maxPixels?: number } = {}): Promise<RgbPicture> {
  expectOptions('decodePng', options, ['maxPixels']);
  const { maxPixels = MAX_PIXELS } = options;
  const file = asBytes(bytes, 'decodePng');
  if (!isPng(file)) throw new FormatError('decodePng: the file does not start with 89 PNG, expected PNG');
  let header: Header | null = null;
  let palette = new Uint8Array(0);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const { type, data } of chunksOf(file)) {
    if (type === 'IHDR') header ??= readHeader(data, maxPixels);
    else if (type === 'PLTE') palette = data;
    else if (type === 'IDAT') parts.push(data);
  }
  if (!header) throw new FormatError('decodePng: there is no header');
  const { width, height, depth, samples, isInterlaced } = header;
  const passes = (isInterlaced ? ADAM7 : ([[0, 0, 1, 1]] as const))
    .map(([x, y, dx, dy]) => ({
      x,
      y,
      dx,
      dy,
      columns: Math.ceil((width - x) / dx),
      rows: Math.ceil((height - y) / dy),
    }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0)
    .map((pass) => ({ ...pass, stride: Math.ceil((pass.columns * samples * depth) / 8) }));
  const packed = new Uint8Array(await new Blob(parts).arrayBuffer());
  const size = passes.reduce((sum, { rows, stride }) => sum + rows * (stride + 1), 0);
  const raw = new Uint8Array(size > LARGEST_RATIO * packed.length ? 0 : size);
  if ((await inflateInto(packed, raw, 'deflate')) !== size) {
    throw new FormatError(`decodePng: the data do not inflate to ${size} bytes, those of ${width} x ${height} pixels`);
  }
  const out = new Uint8Array(3 * width * height);
  let at = 0;
  for (const { x, y, dx, dy, columns, rows, stride } of passes) {
    unfilter(raw.subarray(at, at + rows * (stride + 1)), rows, stride, Math.max(1, (samples * depth) >> 3));
    for (let r = 0; r < rows; r++, at += stride + 1) {
      const line = raw.subarray(at + 1, at + 1 + stride);
      for (let c = 0; c < columns; c++)
        putPixel(out, 3 * ((y + r * dy) * width + x + c * dx), line, c, header, palette);
    }
  }
  return { width, height, data: out };
}

/** The chunks up to IEND, with their checksums checked. */
export function* chunksOf(
  file: Uint8Array<ArrayBuffer>,
): Generator<{ type: string; data: Uint8Array<ArrayBuffer>; at: number }> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = SIGNATURE.length; ;) {
    if (at + 12 > file.length) throw new FormatError('decodePng: the file is cut');
    const length = view.getUint32(at);
    if (at + 12 + length > file.length) throw new FormatError('decodePng: the file is cut');
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (crc32(file.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length))
      throw new FormatError(`decodePng: the checksum of ${JSON.stringify(type)} is wrong`);
    if (type === 'IEND') return;
    yield { type, data: file.subarray(at + 8, at + 8 + length), at: at + 8 };
    at += 12 + length;
  }
}

function readHeader(data: Uint8Array, maxPixels: number): Header {
  if (data.length !== 13) throw new FormatError(`decodePng: the header has ${data.length} bytes, expected 13`);
  const view = new DataView(data.buffer, data.byteOffset, 13);
  const [width, height, depth, colour, interlace] = [
    view.getUint32(0),
    view.getUint32(4),
    data[8]!,
    data[9]!,
    data[12]!,
  ];
  const samples = COLOURS[colour]?.depths.includes(depth) ? COLOURS[colour].samples : 0;
  if (samples === 0 || data[10] !== 0 || data[11] !== 0 || interlace > 1)
    throw new FormatError(
      `decodePng: colour type ${colour} of ${depth} bits, interlace ${interlace}, expected what PNG knows`,
    );
  if (width === 0 || height === 0 || width * height > maxPixels)
    throw new FormatError(`decodePng: ${width} x ${height} pixels, expected at least one and at most ${maxPixels}`);
  return { width, height, depth, colour, samples, isInterlaced: interlace === 1 };
}

/** Undoes the filter of each row in place: type 0 none, 1 left, 2 above, 3 their mean, 4 Paeth; `bpp` bytes a pixel. */
function unfilter(raw: Uint8Array, rows: number, stride: number, bpp: number): void {
  for (let r = 0; r < rows; r++) {
    const start = r * (stride + 1) + 1;
    const type = raw[start - 1]!;
    if (type > 4) throw new FormatError(`decodePng: filter ${type} in row ${r}, expected 0..4`);
    for (let i = 0; i < stride; i++) {
      const a = i >= bpp ? raw[start + i - bpp]! : 0;
      const b = r > 0 ? raw[start + i - stride - 1]! : 0;
      const c = r > 0 && i >= bpp ? raw[start + i - stride - 1 - bpp]! : 0;
      raw[start + i]! += type === 1 ? a : type === 2 ? b : type === 3 ? (a + b) >> 1 : type === 4 ? paeth(a, b, c) : 0;
    }
  }
}

function paeth(a: number, b: number, c: number): number {
  const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
}

function putPixel(
  out: Uint8Array,
  to: number,
  line: Uint8Array,
  column: number,
  { depth, colour, samples }: Header,
  palette: Uint8Array,
): void {
  let first: number;
  if (depth < 8) {
    const bit = column * depth;
    first = (line[bit >> 3]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
    if (colour === 0) first *= 255 / ((1 << depth) - 1);
  } else first = line[(column * samples * depth) >> 3]!;
  if (colour === 3) {
    if (3 * first + 3 > palette.length)
      throw new FormatError(`decodePng: colour ${first} is not in the palette of ${Math.floor(palette.length / 3)}`);
    out.set(palette.subarray(3 * first, 3 * first + 3), to);
  } else if (samples < 3) out.fill(first, to, to + 3);
  else for (let s = 0; s < 3; s++) out[to + s] = line[((column * samples + s) * depth) >> 3]!;
}
