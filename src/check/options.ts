/**
 * Throws a TypeError when `options` has a key that is not in `known`, and suggests the nearest known one. `what` names
 * the function for the reader. Undefined options, and keys whose value is undefined, pass.
 */
export function expectOptions<T extends object>(
  what: string,
  options: T | null | undefined,
  known: readonly (keyof T & string)[],
): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${what}: options are ${String(options)}, expected an object`);
  // A function of options that stands where its result is wanted is called with tensors.
  if ('storage' in options)
    throw new TypeError(`${what}: options are a tensor, expected an object; pass the result of ${what}(), not ${what}`);
  for (const name of Object.keys(options)) {
    if ((known as readonly string[]).includes(name) || (options as Record<string, unknown>)[name] === undefined)
      continue;
    throw new TypeError(`${what}: unknown option '${name}'${suggestion(name, known)}`);
  }
}

/** What to say after an unknown name: the nearest known one, if one is near, else all. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near) return `, did you mean '${near}'?`;
  return known.length ? `, expected one of ${known.join(', ')}` : ', expected none';
}

/**
 * The known name with the fewest edits from `name`, case, underscores and nX for numX apart, when those are at most a
 * third of its length, at least one.
 */
export function nearest(name: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(plain(name), plain(candidate));
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}

/** A name without case, underscores and the difference of nX and numX. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll('_', '').replace(/^num/, 'n');
}

/** Least number of insertions, deletions and replacements that make `a` into `b` (Levenshtein, 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1]));
    }
    row = next;
  }
  return row[b.length]!;
}
