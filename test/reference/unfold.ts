import { accumulator, addTerm, build, count, type Dense } from './dense.ts';

/** Geometry of patches, each a pair (height, width). */
export interface Patches {
  kernel: readonly [number, number];
  stride: readonly [number, number];
  padding: readonly [number, number];
  dilation: readonly [number, number];
}

/** The plain geometry for a kernel. */
export const plain = (kernel: readonly [number, number]): Patches => ({
  kernel,
  stride: [1, 1],
  padding: [0, 0],
  dilation: [1, 1],
});

/** Number of patches along an axis of length `size`. */
const places = (g: Patches, axis: 0 | 1, size: number): number =>
  Math.floor((size + 2 * g.padding[axis] - g.dilation[axis] * (g.kernel[axis] - 1) - 1) / g.stride[axis]) + 1;

/** Shape of the columns of an image. */
export function columnsOf(image: readonly number[], g: Patches): number[] {
  return [image[0]!, image[1]! * g.kernel[0] * g.kernel[1], places(g, 0, image[2]!) * places(g, 1, image[3]!)];
}

/** For each element of the columns its position in the image, or -1 in the padding. */
function sources(image: readonly number[], g: Patches): number[] {
  const [batch, channels, height, width] = image as [number, number, number, number];
  const out: number[] = [];
  for (let p = 0; p < batch * channels; p++) {
    for (let r = 0; r < g.kernel[0]; r++) {
      for (let s = 0; s < g.kernel[1]; s++) {
        for (let oh = 0; oh < places(g, 0, height); oh++) {
          for (let ow = 0; ow < places(g, 1, width); ow++) {
            const h = oh * g.stride[0] - g.padding[0] + r * g.dilation[0];
            const v = ow * g.stride[1] - g.padding[1] + s * g.dilation[1];
            out.push(h < 0 || v < 0 || h >= height || v >= width ? -1 : (p * height + h) * width + v);
          }
        }
      }
    }
  }
  return out;
}

/** Patches as columns. */
export function unfold(x: Dense, g: Patches): Dense {
  const from = sources(x.shape, g);
  return build(columnsOf(x.shape, g), (i) => (from[i]! < 0 ? 0 : x.data[from[i]!]!));
}

/** Columns added to their places in an image: the gradient of {@link unfold}. */
export function fold(x: Dense, image: readonly number[], g: Patches): Dense {
  const y = accumulator(image);
  if (count(image) > 0) sources(image, g).forEach((to, i) => to >= 0 && addTerm(y, to, x.data[i]!));
  return y;
}
