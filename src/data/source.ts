import { asBytes } from '../io/bytes.ts';
import { FormatError, quote } from '../io/format-error.ts';
import { gunzip, isGzip } from '../io/gzip.ts';
import { nodeModule } from './node.ts';

/**
 * A file: its bytes, a Blob or File of a page, or where it lies. A URL is fetched (`http:`, `https:`, `data:`,
 * `blob:`), `file:` and plain paths are read from disk in Node; in a page a path is relative to the page.
 */
export type Source = string | URL | ArrayBuffer | Uint8Array | Blob;

/** Options of {@link bytesOf}. */
export interface BytesOptions {
  signal?: AbortSignal | undefined;
  /** Cap on the inflated bytes of a gzip file. Default: 1 GiB. */
  maxBytes?: number | undefined;
}

/**
 * The bytes of a source; `what` names it in errors. Rejects with Error on a failed download or a file that cannot be
 * read, and with the signal's reason when aborted.
 */
export async function bytesOf(source: Source, what: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  signal?.throwIfAborted();
  if (typeof source === 'string' || source instanceof URL) {
    const path = pathOf(source);
    return path === null ? download(source, what, signal) : readPath(path, what, signal);
  }
  const bytes =
    typeof Blob !== 'undefined' && source instanceof Blob
      ? await source.arrayBuffer()
      : (source as ArrayBuffer | Uint8Array);
  signal?.throwIfAborted();
  return asBytes(bytes, what);
}

/** The same, inflated when they are gzip. */
export async function plainBytesOf(
  source: Source,
  what: string,
  { signal, maxBytes }: BytesOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await bytesOf(source, what, signal);
  if (!isGzip(bytes)) return bytes;
  try {
    return await gunzip(bytes, { maxBytes });
  } catch (cause) {
    if (cause instanceof FormatError) throw new FormatError(`${what}: ${cause.message}`, { cause });
    throw cause;
  }
}

/** The path or `file:` URL to read from disk; null for what is fetched. A drive letter (C:\) is no scheme. */
export function pathOf(source: string | URL): string | URL | null {
  if (!isNode()) return null;
  const text = String(source);
  if (/^file:/i.test(text)) return new URL(text);
  return /^[a-z][a-z0-9+.-]+:/i.test(text) ? null : text;
}

/** Node, Deno or Bun, but no page of Electron. */
function isNode(): boolean {
  const host = (globalThis as { process?: { versions?: { node?: string }; type?: string } }).process;
  return host?.versions?.node !== undefined && host.type !== 'renderer';
}

async function readPath(
  path: string | URL,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const { promises } = nodeModule('node:fs', `${what} is a path`);
  try {
    return asBytes(await promises.readFile(path, signal && { signal }), what);
  } catch (cause) {
    signal?.throwIfAborted();
    const { code, message } = cause as Error & { code?: string };
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'it is a folder'
          : code === 'EACCES'
            ? 'it may not be read'
            : message;
    throw new Error(`${what}: cannot read ${quote(String(path), 200)}: ${why}`, { cause });
  }
}

async function download(
  source: string | URL,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(source, signal ? { signal } : {}).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new Error(
      `${what} at ${String(source).slice(0, 120)} cannot be fetched: ` +
        `${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  });
  if (!response.ok)
    throw new Error(
      `${what} at ${String(source).slice(0, 120)} answered ${response.status} ${response.statusText}, expected 2xx`,
    );
  return new Uint8Array(await response.arrayBuffer());
}
