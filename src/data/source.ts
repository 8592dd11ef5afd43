import { asBytes } from '../io/bytes.ts';

/** A file: its address (fetched), its bytes, or a File of a page. */
export type Source = string | URL | ArrayBuffer | Uint8Array | Blob;

/** The bytes of a source; `what` names it in errors. Rejects with Error on a failed download and with the signal's reason when aborted. */
export async function bytesOf(source: Source, what: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof source === 'string' || source instanceof URL) {
    const response = await fetch(source, signal ? { signal } : {});
    if (!response.ok) throw new Error(`${what} at ${String(source)} answered ${response.status} ${response.statusText}, expected 2xx`);
    return new Uint8Array(await response.arrayBuffer());
  }
  const bytes = typeof Blob !== 'undefined' && source instanceof Blob ? await source.arrayBuffer() : (source as ArrayBuffer | Uint8Array);
  signal?.throwIfAborted();
  return asBytes(bytes, what);
}
