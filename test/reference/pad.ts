import { accumulator, addTerm, build, count, unravel, type Dense } from './dense.ts';

/** The four ways to fill. */
export type Mode = 'constant' | 'reflect' | 'replicate' | 'circular';

/** Where position p of an axis of length n takes its value; null where there is none. */
function source(p: number, n: number, mode: Mode): number | null {
  if (p >= 0 && p < n) return p;
  if (mode === 'constant') return null;
  if (mode === 'replicate') return p < 0 ? 0 : n - 1;
  if (mode === 'reflect') return p < 0 ? -p : 2 * (n - 1) - p;
  return (p + n) % n;
}

/** Shape of x padded; `pads` from the last axis on, [before, after] each. */
export function paddedShape(shape: readonly number[], pads: readonly number[]): number[] {
  return shape.map((d, a) => d + (pads[2 * (shape.length - 1 - a)] ?? 0) + (pads[2 * (shape.length - 1 - a) + 1] ?? 0));
}

/** For each element of the result its position in x, or -1. */
function sources(shape: readonly number[], pads: readonly number[], mode: Mode): number[] {
  const to = paddedShape(shape, pads);
  return Array.from({ length: count(to) }, (_, i) => {
    const at = unravel(i, to).map((p, a) => source(p - (pads[2 * (shape.length - 1 - a)] ?? 0), shape[a]!, mode));
    return at.includes(null) ? -1 : at.reduce<number>((j, p, a) => j * shape[a]! + p!, 0);
  });
}

/** x with elements around it. */
export function pad(x: Dense, pads: readonly number[], mode: Mode, value = 0): Dense {
  const from = sources(x.shape, pads, mode);
  return build(paddedShape(x.shape, pads), (i) => (from[i]! < 0 ? value : x.data[from[i]!]!));
}

/** Gradient of {@link pad} for an input of a shape. */
export function padGradient(dy: Dense, shape: readonly number[], pads: readonly number[], mode: Mode): Dense {
  const dx = accumulator(shape);
  sources(shape, pads, mode).forEach((to, i) => to >= 0 && addTerm(dx, to, dy.data[i]!));
  return dx;
}
