import { accumulator, addTerm, build, type Dense } from './dense.ts';

/** For each element of an image, the position in x that it copies, -1 for none. */
function sources(x: Dense, shift: readonly number[], flip: readonly number[]): number[] {
  const [batch, channels, height, width] = x.shape as unknown as [number, number, number, number];
  const from: number[] = [];
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < height; i++) {
        for (let j = 0; j < width; j++) {
          const row = i + shift[2 * b]!;
          const col = (flip[b] ? width - 1 - j : j) + shift[2 * b + 1]!;
          from.push(
            row >= 0 && row < height && col >= 0 && col < width
              ? ((b * channels + c) * height + row) * width + col
              : -1,
          );
        }
      }
    }
  }
  return from;
}

/** Images moved and mirrored. */
export function shiftFlip(x: Dense, shift: readonly number[], flip: readonly number[]): Dense {
  const from = sources(x, shift, flip);
  return build(x.shape, (i) => (from[i]! < 0 ? 0 : x.data[from[i]!]!));
}

/** Gradient of {@link shiftFlip}. */
export function shiftFlipGradient(dy: Dense, shift: readonly number[], flip: readonly number[]): Dense {
  const dx = accumulator(dy.shape);
  sources(dy, shift, flip).forEach((to, i) => {
    if (to >= 0) addTerm(dx, to, dy.data[i]!);
  });
  return dx;
}
