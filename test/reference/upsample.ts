import { accumulator, addTerm, build, type Dense } from './dense.ts';

/** For each element of an image of `out`, the position in x that it copies. */
function sources(
  [batch, channels, height, width]: readonly [number, number, number, number],
  out: readonly [number, number],
): number[] {
  const from: number[] = [];
  for (let p = 0; p < batch * channels; p++) {
    for (let h = 0; h < out[0]; h++) {
      for (let v = 0; v < out[1]; v++)
        from.push((p * height + Math.floor((h * height) / out[0])) * width + Math.floor((v * width) / out[1]));
    }
  }
  return from;
}

const shapeOf = (x: Dense): [number, number, number, number] => x.shape as unknown as [number, number, number, number];

/** Nearest-neighbour resampling of x to height and width `out`. */
export function upsampleNearest(x: Dense, out: readonly [number, number]): Dense {
  const from = sources(shapeOf(x), out);
  return build([...x.shape.slice(0, 2), ...out], (i) => x.data[from[i]!]!);
}

/** Gradient of {@link upsampleNearest} for an input of the shape of x. */
export function upsampleNearestGradient(dy: Dense, x: Dense): Dense {
  const dx = accumulator(x.shape);
  sources(shapeOf(x), dy.shape.slice(2) as [number, number]).forEach((to, i) => addTerm(dx, to, dy.data[i]!));
  return dx;
}
