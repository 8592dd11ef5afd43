import { accumulator, addTerm, build, type Dense } from './dense.ts';

/** Geometry of a pooling, each a pair (height, width). */
export interface Window {
  kernel: readonly [number, number];
  stride: readonly [number, number];
  padding: readonly [number, number];
  /** Default: 1. */
  dilation?: readonly [number, number];
  ceilMode?: boolean;
}

/** Even parts of each axis. */
export interface Parts {
  parts: readonly [number, number];
}

/** One window along one axis: positions inside the image, and how many there are with the padding. */
interface Span {
  at: number[];
  padded: number;
}

/** The windows of one axis of length `size`. */
function spans(g: Window | Parts, axis: 0 | 1, size: number): Span[] {
  const out: Span[] = [];
  if ('parts' in g) {
    for (let i = 0; i < g.parts[axis]; i++) {
      const [first, end] = [Math.floor((i * size) / g.parts[axis]), Math.ceil(((i + 1) * size) / g.parts[axis])];
      out.push({ at: Array.from({ length: end - first }, (_, k) => first + k), padded: end - first });
    }
    return out;
  }
  const [kernel, stride, padding, dilation] = [
    g.kernel[axis],
    g.stride[axis],
    g.padding[axis],
    g.dilation?.[axis] ?? 1,
  ];
  for (let start = -padding; ; start += stride) {
    const taps = Array.from({ length: kernel }, (_, t) => start + t * dilation);
    // The last window must end inside the padding, or in ceil mode start before the padding behind the image.
    if (
      g.ceilMode
        ? out.length > 0 && (start >= size || taps[0]! - stride + dilation * (kernel - 1) >= size + padding - 1)
        : taps.at(-1)! >= size + padding
    )
      break;
    out.push({ at: taps.filter((p) => p >= 0 && p < size), padded: taps.filter((p) => p < size + padding).length });
  }
  return out;
}

/** The input positions of every window, in output order, how many it has with the padding, and the output shape. */
function windows(x: Dense, g: Window | Parts): { shape: number[]; list: { at: number[]; padded: number }[] } {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [rows, cols] = [spans(g, 0, height), spans(g, 1, width)];
  const list: { at: number[]; padded: number }[] = [];
  for (let p = 0; p < batch * channels; p++) {
    for (const r of rows)
      for (const c of cols)
        list.push({
          at: r.at.flatMap((h) => c.at.map((v) => (p * height + h) * width + v)),
          padded: r.padded * c.padded,
        });
  }
  return { shape: [batch, channels, rows.length, cols.length], list };
}

/** The place of the first of equal maxima, or of the last NaN. */
const first = (x: Dense, list: number[]): number =>
  list.reduce((best, i) => (Number.isNaN(x.data[i]) || x.data[i]! > x.data[best]! ? i : best), list[0]!);

/** Largest element of each window. */
export function maxPool2d(x: Dense, g: Window | Parts): Dense {
  const { shape, list } = windows(x, g);
  return build(shape, (i) => x.data[first(x, list[i]!.at)]!);
}

/** The first of equal maxima takes the gradient of a window. `chosen`: whose maxima count. */
export function maxPool2dGradient(dy: Dense, chosen: Dense, g: Window | Parts): Dense {
  const dx = accumulator(chosen.shape);
  windows(chosen, g).list.forEach(({ at }, i) => addTerm(dx, first(chosen, at), dy.data[i]!));
  return dx;
}

/** v where x has the maximum of each window. */
export function pickMaxima(v: Dense, x: Dense, g: Window | Parts): Dense {
  const { shape, list } = windows(x, g);
  return build(shape, (i) => v.data[first(x, list[i]!.at)]!);
}

/** Mean of each window; padding counts as zeros on request. */
export function avgPool2d(x: Dense, g: Window | Parts, countPadding = true): Dense {
  const { shape, list } = windows(x, g);
  const y = accumulator(shape);
  list.forEach(({ at, padded }, o) =>
    at.forEach((i) => addTerm(y, o, x.data[i]! / (countPadding ? padded : at.length))),
  );
  return y;
}

/** Gradient of {@link avgPool2d} for an input of the shape of x. */
export function avgPool2dGradient(dy: Dense, x: Dense, g: Window | Parts, countPadding = true): Dense {
  const dx = accumulator(x.shape);
  windows(x, g).list.forEach(({ at, padded }, o) =>
    at.forEach((i) => addTerm(dx, i, dy.data[o]! / (countPadding ? padded : at.length))),
  );
  return dx;
}
