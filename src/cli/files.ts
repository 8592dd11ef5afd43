import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Writes all files into `folder`, which is created when missing. All are complete on disk before the first takes its
 * name.
 */
export async function writeAll(folder: string, files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const partial = await mkdtemp(join(folder, '.partial-'));
  try {
    for (const [name, contents] of files) await writeFile(join(partial, name), contents);
    for (const name of files.keys()) await rename(join(partial, name), join(folder, name));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Writes one file in the same way. */
export function writeOne(file: string, contents: string | Uint8Array): Promise<void> {
  return writeAll(dirname(file), new Map([[basename(file), contents]]));
}
