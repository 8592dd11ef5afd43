import { accumulator, addTerm, type Dense } from './dense.ts';

/** Geometry of a transposed convolution, each a pair (height, width). */
export interface TransposedGeometry {
  stride: readonly [number, number];
  padding: readonly [number, number];
  outputPadding: readonly [number, number];
  dilation: readonly [number, number];
  groups: number;
}

/** The plain geometry. */
export const PLAIN: TransposedGeometry = {
  stride: [1, 1],
  padding: [0, 0],
  outputPadding: [0, 0],
  dilation: [1, 1],
  groups: 1,
};

/** Calls `each(y, x, w)` with the flat positions of each product: every input element lays the kernel down once. */
function visit(x: Dense, w: Dense, g: TransposedGeometry, each: (y: number, x: number, w: number) => void): number[] {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [, perGroup, kh, kw] = w.shape as [number, number, number, number];
  const filters = perGroup * g.groups;
  const size = [0, 1].map(
    (a) =>
      (x.shape[2 + a]! - 1) * g.stride[a]! -
      2 * g.padding[a]! +
      g.dilation[a]! * (w.shape[2 + a]! - 1) +
      g.outputPadding[a]! +
      1,
  );
  const [outH, outW] = size as [number, number];
  for (let i = 0; i < batch * channels * height * width; i++) {
    const [v, h, c, n] = [
      i % width,
      Math.floor(i / width) % height,
      Math.floor(i / width / height) % channels,
      Math.floor(i / width / height / channels),
    ];
    const group = Math.floor(c / (channels / g.groups));
    for (let k = 0; k < perGroup * kh * kw; k++) {
      const [s, r, f] = [k % kw, Math.floor(k / kw) % kh, Math.floor(k / kw / kh)];
      const [oh, ow] = [
        h * g.stride[0] - g.padding[0] + r * g.dilation[0],
        v * g.stride[1] - g.padding[1] + s * g.dilation[1],
      ];
      if (oh < 0 || ow < 0 || oh >= outH || ow >= outW) continue;
      each(((n * filters + group * perGroup + f) * outH + oh) * outW + ow, i, c * perGroup * kh * kw + k);
    }
  }
  return [batch, filters, outH, outW];
}

/** Transposed convolution with a bias or without. */
export function convTranspose2d(x: Dense, w: Dense, b: Dense | null, g: TransposedGeometry): Dense {
  const shape = visit(x, w, g, () => {});
  const y = accumulator(shape);
  visit(x, w, g, (o, i, k) => addTerm(y, o, x.data[i]! * w.data[k]!));
  if (b) y.data.forEach((_, i) => addTerm(y, i, b.data[Math.floor(i / (shape[2]! * shape[3]!)) % shape[1]!]!));
  return y;
}

/** Gradients with respect to x, w and b. */
export function convTranspose2dGradient(
  dy: Dense,
  x: Dense,
  w: Dense,
  b: Dense | null,
  g: TransposedGeometry,
): Dense[] {
  const [dx, dw] = [accumulator(x.shape), accumulator(w.shape)];
  visit(x, w, g, (o, i, k) => {
    addTerm(dx, i, dy.data[o]! * w.data[k]!);
    addTerm(dw, k, dy.data[o]! * x.data[i]!);
  });
  if (!b) return [dx, dw];
  const db = accumulator(b.shape);
  dy.data.forEach((d, i) => addTerm(db, Math.floor(i / (dy.shape[2]! * dy.shape[3]!)) % dy.shape[1]!, d));
  return [dx, dw, db];
}
