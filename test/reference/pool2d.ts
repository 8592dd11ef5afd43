import { accumulator, addTerm, build, type Dense } from './dense.ts';

/** Geometry of a pooling, each a pair (height, width). */
export interface Window {
  kernel: readonly [number, number];
  stride: readonly [number, number];
  padding: readonly [number, number];
}

/** The input positions of every window, in output order, and the output shape. */
function windows(x: Dense, g: Window): { shape: number[]; at: number[][] } {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const outH = Math.floor((height + 2 * g.padding[0] - g.kernel[0]) / g.stride[0]) + 1;
  const outW = Math.floor((width + 2 * g.padding[1] - g.kernel[1]) / g.stride[1]) + 1;
  const at: number[][] = [];
  for (let p = 0; p < batch * channels; p++) {
    for (let oh = 0; oh < outH; oh++) {
      for (let ow = 0; ow < outW; ow++) {
        const list: number[] = [];
        for (let r = 0; r < g.kernel[0]; r++) {
          for (let c = 0; c < g.kernel[1]; c++) {
            const h = oh * g.stride[0] - g.padding[0] + r;
            const v = ow * g.stride[1] - g.padding[1] + c;
            if (h >= 0 && v >= 0 && h < height && v < width) list.push((p * height + h) * width + v);
          }
        }
        at.push(list);
      }
    }
  }
  return { shape: [batch, channels, outH, outW], at };
}

const first = (x: Dense, list: number[]): number => list.reduce((best, i) => (x.data[i]! > x.data[best]! ? i : best), list[0]!);

/** Largest element of each window. */
export function maxPool2d(x: Dense, g: Window): Dense {
  const { shape, at } = windows(x, g);
  return build(shape, (i) => x.data[first(x, at[i]!)]!);
}

/** The first of equal maxima takes the gradient of a window. */
export function maxPool2dGradient(dy: Dense, x: Dense, g: Window): Dense {
  const dx = accumulator(x.shape);
  windows(x, g).at.forEach((list, i) => addTerm(dx, first(x, list), dy.data[i]!));
  return dx;
}

const divisor = (list: number[], g: Window, countPadding: boolean): number => (countPadding ? g.kernel[0] * g.kernel[1] : list.length);

/** Mean of each window; padding counts as zeros on request. */
export function avgPool2d(x: Dense, g: Window, countPadding = true): Dense {
  const { shape, at } = windows(x, g);
  const y = accumulator(shape);
  at.forEach((list, o) => list.forEach((i) => addTerm(y, o, x.data[i]! / divisor(list, g, countPadding))));
  return y;
}

/** Gradient of {@link avgPool2d}. */
export function avgPool2dGradient(dy: Dense, x: Dense, g: Window, countPadding = true): Dense {
  const dx = accumulator(x.shape);
  windows(x, g).at.forEach((list, o) => list.forEach((i) => addTerm(dx, i, dy.data[o]! / divisor(list, g, countPadding))));
  return dx;
}
