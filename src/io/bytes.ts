/** Bytes as callers hold them. */
export type Bytes = Uint8Array | ArrayBuffer;

/**
 * The bytes of a file as a plain Uint8Array that honours offset and length: `slice` then copies, which `Buffer.slice`
 * of Node does not. A view of the same memory, or a copy where that is shared between threads (decoders refuse it).
 * Arrays of another realm (a frame, a test runner's page) pass. Throws TypeError for anything but Uint8Array and
 * ArrayBuffer.
 */
export function asBytes(bytes: Bytes, where: string): Uint8Array<ArrayBuffer> {
  const kind = Object.prototype.toString.call(bytes);
  if (ArrayBuffer.isView(bytes) && kind === '[object Uint8Array]') {
    if (Object.prototype.toString.call(bytes.buffer) === '[object SharedArrayBuffer]') return new Uint8Array(bytes);
    return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  }
  if (kind === '[object ArrayBuffer]') return new Uint8Array(bytes as ArrayBuffer);
  if (kind === '[object SharedArrayBuffer]') return new Uint8Array(bytes as ArrayBuffer).slice();
  throw new TypeError(
    `${where}: bytes is ${bytes === null ? 'null' : typeof bytes}, expected a Uint8Array or an ArrayBuffer`,
  );
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
