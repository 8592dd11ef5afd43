import { GpuError, OutOfMemoryError } from './errors.ts';
import type { Storage } from './storage.ts';

/** Exact bytes of device memory. */
export interface MemoryReport {
  /** Held by live tensors and captured steps. */
  live: number;
  /** Idle in the pool, ready to be handed out. */
  pooled: number;
  /** The most that was live at any time. */
  peak: number;
  /** Small constants of the library, made once and kept. */
  constants: number;
}

/**
 * What to say when the device had no memory for `what`, `bytes` bytes, beside `live` bytes, some of them in `storages`.
 */
export function noMemory(what: string, bytes: number, live: number, storages: Iterable<Storage>, cause: Error): Error {
  const largest = [...storages].sort((a, b) => b.bytes - a.bytes).slice(0, 10);
  const held = largest.map((s) => `${s.label}: ${s.bytes}`).join(', ') || 'none';
  const message =
    `no device memory for ${what}, ${bytes} bytes, beside ${live} live bytes (the largest tensors, in bytes: ` +
    `${held})`;
  const Type = cause instanceof OutOfMemoryError ? OutOfMemoryError : GpuError;
  return new Type(`${message}; use smaller batches, or dispose of tensors: ${cause.message}`, { cause });
}
