import { accumulator, addTerm, build, type Dense } from './dense.ts';

/** Geometry of a convolution, each a pair (height, width). */
export interface Geometry {
  stride: readonly [number, number];
  padding: readonly [number, number];
  dilation: readonly [number, number];
  /** Default: 1. */
  groups?: number;
  /** Zeros below and to the right beyond `padding`. Default: none. */
  extra?: readonly [number, number];
}

/** The plain geometry. */
export const PLAIN: Geometry = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] };

/** Calls `visit(output, input, weight)` with the flat positions of each product of the convolution. */
export function visit(
  x: Dense,
  w: Dense,
  g: Geometry,
  each: (y: number, x: number, w: number, filter: number) => void,
): number[] {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [filters, perGroup, kh, kw] = w.shape as [number, number, number, number];
  const [extraH, extraW] = g.extra ?? [0, 0];
  const outH = Math.floor((height + 2 * g.padding[0] + extraH - g.dilation[0] * (kh - 1) - 1) / g.stride[0]) + 1;
  const outW = Math.floor((width + 2 * g.padding[1] + extraW - g.dilation[1] * (kw - 1) - 1) / g.stride[1]) + 1;
  for (let n = 0; n < batch; n++) {
    for (let f = 0; f < filters; f++) {
      for (let oh = 0; oh < outH; oh++) {
        for (let ow = 0; ow < outW; ow++) {
          for (let k = 0; k < perGroup; k++) {
            const c = Math.floor(f / (filters / (g.groups ?? 1))) * perGroup + k;
            for (let r = 0; r < kh; r++) {
              for (let s = 0; s < kw; s++) {
                const h = oh * g.stride[0] - g.padding[0] + r * g.dilation[0];
                const v = ow * g.stride[1] - g.padding[1] + s * g.dilation[1];
                if (h < 0 || v < 0 || h >= height || v >= width) continue;
                each(
                  ((n * filters + f) * outH + oh) * outW + ow,
                  ((n * channels + c) * height + h) * width + v,
                  ((f * perGroup + k) * kh + r) * kw + s,
                  f,
                );
              }
            }
          }
        }
      }
    }
  }
  return [batch, filters, outH, outW];
}

/** activation(x * w + b). */
export function conv2d(x: Dense, w: Dense, b: Dense | null, g: Geometry, relu = false): Required<Dense> {
  const shape = visit({ ...x, shape: [0, ...x.shape.slice(1)] }, w, g, () => {});
  const y = accumulator([x.shape[0]!, ...shape.slice(1)]);
  visit(x, w, g, (o, i, k) => addTerm(y, o, x.data[i]! * w.data[k]!));
  const area = shape[2]! * shape[3]!;
  y.data.forEach((_, i) => {
    if (b) addTerm(y, i, b.data[Math.floor(i / area) % w.shape[0]!]!);
    if (relu) y.data[i] = Math.max(0, y.data[i]!);
  });
  return y;
}

/** Gradients with respect to x, w and b. */
export function conv2dGradient(dy: Dense, x: Dense, w: Dense, b: Dense | null, g: Geometry, relu = false): Dense[] {
  const y = conv2d(x, w, b, g, relu);
  const dz = build(dy.shape, (i) => (relu && y.data[i]! <= 0 ? 0 : dy.data[i]!));
  const [dx, dw, db] = [accumulator(x.shape), accumulator(w.shape), accumulator([w.shape[0]!])];
  visit(x, w, g, (o, i, k) => {
    addTerm(dx, i, dz.data[o]! * w.data[k]!);
    addTerm(dw, k, dz.data[o]! * x.data[i]!);
  });
  const area = dy.shape[2]! * dy.shape[3]!;
  dz.data.forEach((d, i) => addTerm(db, Math.floor(i / area) % w.shape[0]!, d));
  return b ? [dx, dw, db] : [dx, dw];
}
