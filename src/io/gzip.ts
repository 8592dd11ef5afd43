import { asBytes, type Bytes } from './bytes.ts';
import { FormatError } from './errors.ts';

/** Default cap on the inflated size: 1 GiB. */
const MAX_BYTES = 2 ** 30;

/** True when `bytes` start with the gzip magic number 1f 8b and the deflate method 08. */
export function isGzip(bytes: Bytes): boolean {
  const file = asBytes(bytes, 'isGzip');
  return file.length >= 3 && file[0] === 0x1f && file[1] === 0x8b && file[2] === 0x08;
}

/**
 * Inflates one gzip member (RFC 1952) with the platform's DecompressionStream.
 * Reading stops as soon as more than `maxBytes` (default 1 GiB) have come out, so a small file cannot fill the memory.
 * Rejects with FormatError when the bytes are no gzip, truncated, corrupt, over the cap, or followed by other bytes.
 */
export async function gunzip(bytes: Bytes, { maxBytes = MAX_BYTES }: { maxBytes?: number } = {}): Promise<Uint8Array<ArrayBuffer>> {
  const file = asBytes(bytes, 'gunzip');
  if (!(Number.isSafeInteger(maxBytes) && maxBytes >= 0)) throw new RangeError(`gunzip: maxBytes is ${maxBytes}, expected an integer >= 0`);
  if (!isGzip(file)) throw new FormatError('gunzip: the file does not start with 1f 8b 08, expected gzip');
  if (file.length < 18) throw new FormatError(`gunzip: truncated, ${file.length} bytes, expected at least 18`);

  const reader = new Blob([file]).stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > maxBytes) break;
      chunks.push(value);
    }
  } catch (cause) {
    throw new FormatError(`gunzip: truncated or corrupt after ${length} bytes of output`, { cause });
  }
  if (length > maxBytes) {
    await reader.cancel().catch(() => undefined); // a reader that fails to cancel has nothing more to tell
    throw new FormatError(`gunzip: inflates to more than ${maxBytes} bytes, expected at most maxBytes`);
  }
  // Some hosts ignore what follows the stream; the size field of the trailer then does not match.
  const stated = new DataView(file.buffer, file.byteOffset, file.byteLength).getUint32(file.length - 4, true);
  if (stated !== length % 2 ** 32) {
    throw new FormatError(`gunzip: the last four bytes state ${stated} bytes, ${length} came out; expected one member and nothing after it`);
  }
  return concatenate(chunks, length);
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
