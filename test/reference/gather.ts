import { accumulator, addTerm, around, build, ravel, unravel, type Dense } from './dense.ts';

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
 * `count` elements along an axis: x[.., index[j], ..] when the index has as many, or x[.., index[.., j, ..], ..] when
 * it has one for each element of the result. Outside: 0.
 */
export function pick(x: Dense, index: readonly number[], axis: number, count: number): Dense {
  const from = sources(x.shape, index, axis, count);
  return build(
    x.shape.map((d, i) => (i === axis ? count : d)),
    (i) => (from[i]! < 0 ? 0 : x.data[from[i]!]!),
  );
}

/** Gradient of {@link pick}: what was taken several times adds up. */
export function pickGradient(dy: Dense, x: Dense, index: readonly number[], axis: number, count: number): Dense {
  const dx = accumulator(x.shape);
  sources(x.shape, index, axis, count).forEach((at, i) => {
    if (at >= 0) addTerm(dx, at, dy.data[i]!);
  });
  return dx;
}

/** y[.., index[.., j, ..], ..] = base + the sum of src there, walking through an index of any smaller shape. */
export function scatterAdd(
  x: Dense,
  index: readonly number[],
  indexShape: readonly number[],
  src: Dense,
  axis: number,
): Dense {
  const y = accumulator(x.shape);
  x.data.forEach((v, i) => addTerm(y, i, v));
  index.forEach((l, i) => {
    if (l < 0 || l >= x.shape[axis]!) return;
    const at = unravel(i, indexShape);
    addTerm(
      y,
      ravel(
        at.map((v, k) => (k === axis ? l : v)),
        x.shape,
      ),
      src.data[ravel(at, src.shape)]!,
    );
  });
  return y;
}

/** What {@link scatterAdd} takes to each element of src, gathered from dy; 0 where src was not used. */
export function scatterAddGradient(
  dy: Dense,
  index: readonly number[],
  indexShape: readonly number[],
  srcShape: readonly number[],
  axis: number,
): Dense {
  const dsrc = build(srcShape, () => 0);
  index.forEach((l, i) => {
    if (l < 0 || l >= dy.shape[axis]!) return;
    const at = unravel(i, indexShape);
    dsrc.data[ravel(at, srcShape)] =
      dy.data[
        ravel(
          at.map((v, k) => (k === axis ? l : v)),
          dy.shape,
        )
      ]!;
  });
  return dsrc;
}

/** x at an index of its rank that may be smaller than x off the axis. */
export function gatherPart(x: Dense, index: readonly number[], indexShape: readonly number[], axis: number): Dense {
  return build(
    indexShape,
    (i) =>
      x.data[
        ravel(
          unravel(i, indexShape).map((v, k) => (k === axis ? index[i]! : v)),
          x.shape,
        )
      ]!,
  );
}
