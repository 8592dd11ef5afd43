import type { RgbPicture } from '../io/png.ts';

/** Bits of the weights: 8 for the pixel and 2 to spare are left of 32, as in Pillow. */
const PRECISION = 2 ** 22;

/**
 * The picture scaled as by Pillow's resize with BILINEAR, to the byte: a triangle as wide as a source pixel, or a
 * target pixel where that is wider (so that scaling down averages), weights of 22 bits, rows first and rounded, then
 * columns.
 */
export function resample(picture: RgbPicture, width: number, height: number): RgbPicture {
  let { data } = picture;
  if (width !== picture.width)
    data = along(data, { outer: picture.height, length: picture.width, inner: 3, to: width });
  if (height !== picture.height) data = along(data, { outer: 1, length: picture.height, inner: 3 * width, to: height });
  return { width, height, data };
}

/** Scales the middle axis of (outer, length, inner) to `to`. */
function along(
  x: Uint8Array<ArrayBuffer>,
  { outer, length, inner, to }: { outer: number; length: number; inner: number; to: number },
): Uint8Array<ArrayBuffer> {
  const y = new Uint8Array(outer * to * inner);
  const scale = length / to;
  const support = Math.max(scale, 1);
  for (let t = 0; t < to; t++) {
    const center = (t + 0.5) * scale;
    const from = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(length, Math.trunc(center + support + 0.5));
    const weights = Array.from({ length: end - from }, (_, k) =>
      Math.max(0, 1 - Math.abs((k + from - center + 0.5) / support)),
    );
    const total = weights.reduce((sum, w) => sum + w, 0);
    const whole = weights.map((w) => Math.trunc(0.5 + (w / total) * PRECISION));
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let sum = PRECISION / 2;
        for (let k = 0; k < whole.length; k++) sum += x[(o * length + from + k) * inner + i]! * whole[k]!;
        y[(o * to + t) * inner + i] = Math.min(255, Math.floor(sum / PRECISION));
      }
    }
  }
  return y;
}

/** The picture turned and mirrored as an EXIF orientation (1 to 8) asks for, as Pillow's exif_transpose. */
export function oriented(picture: RgbPicture, orientation: number): RgbPicture {
  if (orientation === 1) return picture;
  const { width: w, height: h } = picture;
  const [width, height] = orientation >= 5 ? [h, w] : [w, h];
  const data = new Uint8Array(picture.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [a, b] = orientation >= 5 ? [y, x] : [x, y];
      const column = [2, 3, 7, 8].includes(orientation) ? w - 1 - a : a;
      const row = [3, 4, 6, 7].includes(orientation) ? h - 1 - b : b;
      const from = 3 * (row * w + column);
      data.set(picture.data.subarray(from, from + 3), 3 * (y * width + x));
    }
  }
  return { width, height, data };
}
