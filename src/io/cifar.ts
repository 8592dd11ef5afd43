import { asBytes, type Bytes } from './bytes.ts';
import { FormatError } from './format-error.ts';

/** Pixels of an image: 3 planes (red, green, blue) of 32 x 32. */
const PIXELS = 3 * 32 * 32;

/** A decoded file of the CIFAR binary version. */
export interface CifarRecords {
  /** (n, 3, 32, 32), row-major. */
  images: Uint8Array<ArrayBuffer>;
  /** Classes of CIFAR-10, fine classes of CIFAR-100. */
  labels: Uint8Array<ArrayBuffer>;
  /** The 20 superclasses of CIFAR-100. */
  coarse: Uint8Array<ArrayBuffer> | null;
}

/**
 * Reads a file of the binary version of CIFAR (Krizhevsky, 2009): records of one label byte (CIFAR-10) or a coarse and
 * a fine one (CIFAR-100), then 3,072 pixel bytes. The data are copied.
 * Throws FormatError on an empty file, a length that is no whole number of records, or a label outside its classes,
 * which is what a file of the other kind looks like.
 */
export function parseCifar(bytes: Bytes, kind: 'cifar10' | 'cifar100'): CifarRecords {
  const file = asBytes(bytes, 'parseCifar');
  const head = kind === 'cifar10' ? 1 : 2;
  const record = head + PIXELS;
  const count = file.length / record;
  if (count === 0 || !Number.isInteger(count))
    throw new FormatError(
      `parseCifar: file has ${file.length} bytes, expected a positive multiple of ${record}, the bytes of a ` +
        `${kind} record`,
    );
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  const coarse = head === 2 ? new Uint8Array(count) : null;
  const label = (n: number, at: number, classes: number): number => {
    const value = file[n * record + at]!;
    if (value >= classes)
      throw new FormatError(
        `parseCifar: record ${n} has label ${value}, expected 0..${classes - 1}: ` +
          `is this the binary version of ${kind}?`,
      );
    return value;
  };
  for (let n = 0; n < count; n++) {
    labels[n] = label(n, head - 1, kind === 'cifar10' ? 10 : 100);
    if (coarse) coarse[n] = label(n, 0, 20);
    images.set(file.subarray(n * record + head, (n + 1) * record), n * PIXELS);
  }
  return { images, labels, coarse };
}
