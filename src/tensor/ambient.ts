import type { Bindable } from '../gpu/kernel.ts';

/** What a scope frees. */
export interface Owned {
  readonly isDisposed: boolean;
  dispose(): void;
}

/** What holds for the synchronous call in progress, however deep. */
export interface Ambient {
  /** Whether ops go on the tape: false in `noGrad` and in a backward pass that is not differentiated again. */
  recording: boolean;
  /** Calls of `valueAndGrad` in progress; inside another one gradients must stay differentiable. */
  depth: number;
  /** Gets the result of every op and every gradient, while anomalies are looked for. */
  watch: { inspect(op: string, result: object): void } | null;
  /** Where labels outside the classes are counted; null: in the counter of the device. */
  invalidLabels: Bindable | null;
  /** The tensors created in each open scope, the innermost last. */
  readonly scopes: Set<Owned>[];
}

/**
 * The one cell of state in the library that steers what a call does without being an argument of it (the other is the
 * current device). It is here and nowhere else because these five must reach ops through functions of the user, which
 * have no argument for them. {@link within} and the scopes set it for the length of a synchronous call and restore it.
 */
export const ambient: Ambient = { recording: true, depth: 0, watch: null, invalidLabels: null, scopes: [] };

/** Calls `fn` with one entry of {@link ambient} changed. */
export function within<K extends 'recording' | 'depth' | 'watch' | 'invalidLabels', T>(
  name: K,
  value: Ambient[K],
  fn: () => T,
): T {
  const before = ambient[name];
  ambient[name] = value;
  try {
    return fn();
  } finally {
    ambient[name] = before;
  }
}
