import { checkOptions, integer } from '../check/check.ts';
import { asBytes, type Bytes } from './bytes.ts';
import { measureDeflate } from './deflate.ts';
import { FormatError } from './format-error.ts';

/** Default cap on the inflated size: 1 GiB. */
const MAX_BYTES = 2 ** 30;

/** Deflate writes 258 bytes in two bits at best. */
export const LARGEST_RATIO = 1032;

/** True when `bytes` start with the gzip magic number 1f 8b and the deflate method 08. */
export function isGzip(bytes: Bytes): boolean {
  return isMember(asBytes(bytes, 'isGzip'), 0);
}

function isMember(file: Uint8Array, at: number): boolean {
  return file[at] === 0x1f && file[at + 1] === 0x8b && file[at + 2] === 0x08;
}

/**
 * Inflates a gzip file (RFC 1952) with the platform's DecompressionStream: its members one after the other, as
 * `cat a.gz b.gz` and bgzip write them; zero bytes after a member are padding. The size is known before memory is
 * taken, and is at most `maxBytes` (default 1 GiB). Rejects with FormatError when the bytes are no gzip, truncated,
 * corrupt, over the cap, or followed by others.
 */
export async function gunzip(
  bytes: Bytes,
  options: { maxBytes?: number | undefined } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkOptions('gunzip', options, { maxBytes: integer(0) });
  const { maxBytes = MAX_BYTES } = options;
  const file = asBytes(bytes, 'gunzip');
  if (!isGzip(file)) throw new FormatError('gunzip: the file does not start with 1f 8b 08, expected gzip');
  if (file.length < 18) throw new FormatError(`gunzip: truncated, ${file.length} bytes, expected at least 18`);

  // Nearly every file is one member, whose last four bytes state its size.
  const stated = new DataView(file.buffer, file.byteOffset, file.byteLength).getUint32(file.length - 4, true);
  if (stated <= Math.min(maxBytes, LARGEST_RATIO * file.length)) {
    const out = new Uint8Array(stated);
    if ((await inflateInto(file, out)) === stated) return out;
  }
  const members = membersOf(file, maxBytes);
  const out = new Uint8Array(members.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const { start, end, size } of members) {
    const came = await inflateInto(file.subarray(start, end), out.subarray(at, at + size));
    if (came !== size) throw new FormatError(`gunzip: truncated or corrupt after ${at} bytes of output`);
    at += size;
  }
  return out;
}

/**
 * Inflates one gzip member, or a zlib stream, into `out` and gives the number of bytes that came; null when it is
 * corrupt or holds more.
 */
export async function inflateInto(
  member: Uint8Array<ArrayBuffer>,
  out: Uint8Array,
  format: 'gzip' | 'deflate' = 'gzip',
): Promise<number | null> {
  const reader = new Blob([member]).stream().pipeThrough(new DecompressionStream(format)).getReader();
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return length;
      if (length + value.length > out.length) break;
      out.set(value, length);
      length += value.length;
    }
  } catch {
    return null;
  }
  await reader.cancel().catch(() => undefined); // a reader that fails to cancel has nothing more to tell
  return null;
}

/** The first `n` bytes that a gzip file inflates to, or fewer where it holds fewer; empty when it is corrupt. */
export async function gunzipHead(file: Uint8Array<ArrayBuffer>, n: number): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(n);
  const reader = new Blob([file]).stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  let length = 0;
  try {
    while (length < n) {
      const { done, value } = await reader.read();
      if (done) break;
      const part = value.subarray(0, n - length);
      out.set(part, length);
      length += part.length;
    }
    await reader.cancel();
  } catch {
    // What came is all that the caller asks for; corruption is the matter of gunzip.
  }
  return out.subarray(0, length);
}

/** The members of a file and their sizes, which are measured; each must state its size at its end. */
function membersOf(file: Uint8Array, maxBytes: number): { start: number; end: number; size: number }[] {
  const members: { start: number; end: number; size: number }[] = [];
  let total = 0;
  for (let at = 0; at < file.length;) {
    const start = at;
    let measured: { end: number; size: number };
    try {
      measured = measureDeflate(file, headerEnd(file, start), maxBytes - total);
    } catch (cause) {
      throw new FormatError(`gunzip: truncated or corrupt after ${total} bytes of output`, { cause });
    }
    total += measured.size;
    if (total > maxBytes)
      throw new FormatError(`gunzip: inflates to more than ${maxBytes} bytes, expected at most maxBytes`);
    at = measured.end + 8;
    if (at > file.length) throw new FormatError(`gunzip: truncated or corrupt after ${total} bytes of output`);
    const stated = new DataView(file.buffer, file.byteOffset + at - 4, 4).getUint32(0, true);
    if (stated !== measured.size % 2 ** 32)
      throw new FormatError(
        `gunzip: member ${members.length} states ${stated} bytes and holds ${measured.size}, expected as many`,
      );
    members.push({ start, end: at, size: measured.size });
    while (file[at] === 0) at++;
    if (at < file.length && !isMember(file, at))
      throw new FormatError(
        `gunzip: ${file.length - at} bytes follow the last member, expected another member, zero bytes or nothing`,
      );
  }
  return members;
}

/** Where the header of the member at `start` ends and its deflate stream begins. */
function headerEnd(file: Uint8Array, start: number): number {
  const flags = file[start + 3] ?? 0xff;
  if (flags & 0xe0) throw new FormatError('gunzip: a reserved flag is set');
  let at = start + 10;
  if (flags & 4) at += 2 + ((file[at] ?? 0) | ((file[at + 1] ?? 0) << 8));
  for (const flag of [8, 16]) if (flags & flag) at = file.indexOf(0, at) + 1 || file.length;
  return at + (flags & 2 ? 2 : 0);
}
