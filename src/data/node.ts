/** The part of `node:fs` that loaders use, written out so that types need no package. */
interface NodeFs {
  promises: {
    readFile(path: string | URL, options?: { signal: AbortSignal }): Promise<Uint8Array>;
    readdir(
      path: string | URL,
      options: { recursive: true; withFileTypes: true },
    ): Promise<{ name: string; parentPath?: string; path?: string; isFile(): boolean }[]>;
  };
}

/** The part of `node:path`. */
interface NodePath {
  join(...parts: string[]): string;
  relative(from: string, to: string): string;
  sep: string;
}

/** The part of `node:url`. */
interface NodeUrl {
  fileURLToPath(url: URL): string;
}

/** Modules of Node that loaders use. */
export interface NodeModules {
  'node:fs': NodeFs;
  'node:path': NodePath;
  'node:url': NodeUrl;
}

/**
 * A module of Node, asked from the running process, so that no bundler sees an import. Throws TypeError, saying that
 * `why`, where the process cannot give it (Node before 20.16 and 22.3).
 */
export function nodeModule<N extends keyof NodeModules>(name: N, why: string): NodeModules[N] {
  const host = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  const found = host?.getBuiltinModule?.(name);
  if (!found)
    throw new TypeError(`${why}, which needs Node 20.16 or 22.3 or later; give the bytes: await readFile(path)`);
  return found as NodeModules[N];
}
