/** Bytes as callers hold them. */
export type Bytes = Uint8Array | ArrayBuffer;

/** A byte view of `bytes` without copying. Throws TypeError for anything but Uint8Array and ArrayBuffer. */
export function asBytes(bytes: Bytes, where: string): Uint8Array<ArrayBuffer> {
  if (bytes instanceof Uint8Array) return bytes as Uint8Array<ArrayBuffer>;
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
  throw new TypeError(`${where}: bytes is ${bytes === null ? 'null' : typeof bytes}, expected a Uint8Array or an ArrayBuffer`);
}

/** Product of `shape`, or null when it is not a safe integer (a later 0 does not excuse an earlier overflow). */
export function safeSize(shape: readonly number[]): number | null {
  let size = 1;
  for (const extent of shape) {
    size *= extent;
    if (!Number.isSafeInteger(size)) return null;
  }
  return size;
}
