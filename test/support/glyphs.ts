import { encodeIdx } from 'evenkeel/io';
import { hostNormal, key } from 'evenkeel/random';

/** Five-by-seven dot patterns of the ten digits, a row of five bits each. */
const DIGITS = [
  '71199971',
  '26222227',
  '7112447f',
  '71161197',
  '22aaf222',
  'f88e1196',
  '3488e996',
  'f1122444',
  '69969996',
  '69971126',
];

/**
 * A small dataset of drawn digits as IDX files: `n` images of 28 x 28, class i % 10, each pattern at a random place
 * with normal noise. Learnable, seeded, generated here: tests need no download.
 */
export function glyphs(n: number, seed: number): { images: Uint8Array<ArrayBuffer>; labels: Uint8Array<ArrayBuffer> } {
  const images = new Uint8Array(n * 784);
  const labels = new Uint8Array(n);
  const noise = hostNormal(n, 784, key(seed));
  for (let i = 0; i < n; i++) {
    const digit = (labels[i] = i % 10);
    const [dx, dy] = [Math.round(noise[i * 784]! * 1.5), Math.round(noise[i * 784 + 1]! * 1.5)];
    for (let y = 0; y < 28; y++) {
      for (let x = 0; x < 28; x++) {
        const row = Math.floor((y - dy - 2) / 3);
        const column = Math.floor((x - dx - 6) / 4);
        const bits = row >= 0 && row < 8 ? Number.parseInt(DIGITS[digit]![row]!, 16) : 0;
        const on = column >= 0 && column < 4 && ((bits >> (3 - column)) & 1) === 1;
        const value = (on ? 200 : 20) + 20 * noise[i * 784 + y * 28 + x]!;
        images[i * 784 + y * 28 + x] = Math.max(0, Math.min(255, Math.round(value)));
      }
    }
  }
  return {
    images: encodeIdx({ dtype: 'u8', shape: [n, 28, 28], data: images }) as Uint8Array<ArrayBuffer>,
    labels: encodeIdx({ dtype: 'u8', shape: [n], data: labels }) as Uint8Array<ArrayBuffer>,
  };
}
