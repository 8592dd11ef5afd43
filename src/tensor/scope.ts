import { ambient, type Owned } from './ambient.ts';

/** Registers a tensor with the innermost scope. */
export function track(owned: Owned): void {
  ambient.scopes.at(-1)?.add(owned);
}

/** Takes a tensor out of every scope: its new owner frees it. */
export function untrack(owned: Owned): void {
  for (const made of ambient.scopes) made.delete(owned);
}

/**
 * Runs `fn` and frees every tensor created inside, except those in its result (a tensor, or arrays and plain objects of
 * tensors), which pass to the surrounding scope. `fn` must not be async: between two awaits other code would run inside
 * the scope; make the tensors in a scope, and await outside it.
 */
export function scope<T>(fn: () => T): T {
  const made = new Set<Owned>();
  ambient.scopes.push(made);
  let result: T;
  try {
    result = fn();
    if (typeof (result as { then?: unknown } | null)?.then === 'function') {
      throw new TypeError('scope: the function is async, expected a synchronous one; await outside the scope');
    }
    for (const kept of tensorsIn(result)) {
      if (made.delete(kept as Owned)) ambient.scopes.at(-2)?.add(kept as Owned);
    }
    return result;
  } finally {
    ambient.scopes.pop();
    for (const owned of made) owned.dispose();
  }
}

/**
 * Runs `fn` so that what it makes belongs to no scope: for parameters and caches that live longer. If it throws, that
 * is freed.
 */
export function unscoped<T>(fn: () => T): T {
  return withMade(fn).result;
}

/** Runs `fn`. What it makes belongs to the surrounding scope, as without; if it throws, that is freed. */
export function freeingOnError<T>(fn: () => T): T {
  const { result, made } = withMade(fn);
  for (const owned of made) track(owned);
  return result;
}

/** The result of `fn`, and what it made, which belongs to no scope; if it throws, that is freed. */
function withMade<T>(fn: () => T): { result: T; made: ReadonlySet<Owned> } {
  const made = new Set<Owned>();
  ambient.scopes.push(made);
  try {
    return { result: fn(), made };
  } catch (error) {
    for (const owned of made) owned.dispose();
    throw error;
  } finally {
    ambient.scopes.pop();
  }
}

/** The disposable objects inside a value: itself, or inside arrays, maps and plain objects. */
export function* tensorsIn(value: unknown): Generator<object> {
  if (value === null || typeof value !== 'object') return;
  if ('dispose' in value && 'isDisposed' in value) yield value;
  else if (value instanceof Map || Array.isArray(value)) for (const v of value.values()) yield* tensorsIn(v);
  else if (Object.getPrototypeOf(value) === Object.prototype) for (const v of Object.values(value)) yield* tensorsIn(v);
}
