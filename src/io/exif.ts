import { FormatError } from './format-error.ts';
import { chunksOf, isPng } from './png.ts';

/** Tag of the orientation. */
const ORIENTATION = 0x0112;

/**
 * Where the EXIF orientation of a JPEG, PNG or WebP file lies, and its value, 1 to 8 (1: as stored); null when it has
 * none. The value has two bytes, of which `at` is the one that holds it.
 */
export function exifOrientation(file: Uint8Array<ArrayBuffer>): { value: number; at: number } | null {
  const start = exifStart(file);
  if (start === null) return null;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const little = view.getUint16(start) === 0x4949;
  const table = start + view.getUint32(start + 4, little);
  if (table + 2 > file.length) return null;
  const count = view.getUint16(table, little);
  for (let i = 0; i < count; i++) {
    const at = table + 2 + 12 * i;
    if (at + 12 > file.length) return null;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const value = view.getUint16(at + 8, little);
    return value >= 1 && value <= 8 ? { value, at: at + (little ? 8 : 9) } : null;
  }
  return null;
}

/** Where the TIFF header of the EXIF block begins. */
function exifStart(file: Uint8Array<ArrayBuffer>): number | null {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const text = (at: number, length: number): string => String.fromCharCode(...file.subarray(at, at + length));
  const valid = (at: number): number | null => (at + 8 <= file.length && /^(II|MM)$/.test(text(at, 2)) ? at : null);
  if (file[0] === 0xff && file[1] === 0xd8) {
    // Segments of a JPEG up to its data: marker, length, content.
    for (
      let at = 2;
      at + 4 <= file.length && file[at] === 0xff && file[at + 1] !== 0xda;
      at += 2 + view.getUint16(at + 2)
    ) {
      if (file[at + 1] === 0xe1 && text(at + 4, 6) === 'Exif\0\0') return valid(at + 10);
    }
  } else if (text(0, 4) === 'RIFF' && text(8, 4) === 'WEBP') {
    for (
      let at = 12;
      at + 8 <= file.length;
      at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) & 1)
    ) {
      if (text(at, 4) === 'EXIF') return valid(at + (text(at + 8, 6) === 'Exif\0\0' ? 14 : 8));
    }
  } else if (isPng(file)) {
    try {
      for (const { type, at } of chunksOf(file)) if (type === 'eXIf') return valid(at);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause; // a broken file is the matter of the decoder
    }
  }
  return null;
}
