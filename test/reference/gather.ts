import { accumulator, addTerm, around, build, type Dense } from './dense.ts';

/** Position in x of each element of the result; -1 where the index lies outside the axis. */
function sources(shape: readonly number[], index: readonly number[], axis: number, count: number): number[] {
  const { outer, length, inner } = around(shape, axis);
  const each = index.length !== count;
  const from: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < count; j++) {
      for (let i = 0; i < inner; i++) {
        const l = each ? index[(o * count + j) * inner + i]! : index[j]!;
        from.push(l >= 0 && l < length ? (o * length + l) * inner + i : -1);
      }
    }
  }
  return from;
}

/**
 * `count` elements along an axis: x[.., index[j], ..] when the index has as many, or x[.., index[.., j, ..], ..] when it
 * has one for each element of the result. Outside: 0.
 */
export function pick(x: Dense, index: readonly number[], axis: number, count: number): Dense {
  const from = sources(x.shape, index, axis, count);
  return build(x.shape.map((d, i) => (i === axis ? count : d)), (i) => (from[i]! < 0 ? 0 : x.data[from[i]!]!));
}

/** Gradient of {@link pick}: what was taken several times adds up. */
export function pickGradient(dy: Dense, x: Dense, index: readonly number[], axis: number, count: number): Dense {
  const dx = accumulator(x.shape);
  sources(x.shape, index, axis, count).forEach((at, i) => {
    if (at >= 0) addTerm(dx, at, dy.data[i]!);
  });
  return dx;
}
