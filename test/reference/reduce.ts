import { accumulator, addTerm, around, build, ravel, unravel, type Dense } from './dense.ts';

/** Shape with the axes set to 1. */
export function keptShape(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((d, i) => (axes.includes(i) ? 1 : d));
}

/** Sum over axes (0..rank-1), with size 1 left in their place, times `scale`. */
export function sum(x: Dense, axes: readonly number[], scale = 1): Dense {
  const y = accumulator(keptShape(x.shape, axes));
  x.data.forEach((v, i) => addTerm(y, ravel(unravel(i, x.shape), y.shape), v * scale));
  return y;
}

/** dy repeated along the summed axes, times `scale`. */
export function sumGradient(dy: Dense, x: Dense, axes: readonly number[], scale = 1): Dense {
  const kept = keptShape(x.shape, axes);
  return build(x.shape, (i) => dy.data[ravel(unravel(i, x.shape), kept)]! * scale);
}

/** Largest (sign 1) or smallest (sign -1) element over axes; NaN where there is one. */
export function extreme(x: Dense, axes: readonly number[], sign: 1 | -1): Dense {
  const y = build(keptShape(x.shape, axes), () => -sign * Infinity);
  x.data.forEach((v, i) => {
    const at = ravel(unravel(i, x.shape), y.shape);
    if (Number.isNaN(v) || sign * v > sign * y.data[at]!) y.data[at] = v;
  });
  return y;
}

/** Gradient of {@link extreme}: equal extremes share it evenly; NaN throughout where there is one. */
export function extremeGradient(dy: Dense, x: Dense, axes: readonly number[], sign: 1 | -1): Dense {
  const y = extreme(x, axes, sign);
  const place = (i: number): number => ravel(unravel(i, x.shape), y.shape);
  const ties = new Float64Array(y.data.length);
  x.data.forEach((v, i) => (ties[place(i)]! += Number(v === y.data[place(i)])));
  return build(x.shape, (i) =>
    Number.isNaN(y.data[place(i)]) ? NaN : x.data[i] === y.data[place(i)] ? dy.data[place(i)]! / ties[place(i)]! : 0,
  );
}

/** Position of the first largest (sign 1) or smallest (sign -1) element along an axis, or of the first NaN. */
export function arg(x: Dense, axis: number, sign: 1 | -1): number[] {
  const { outer, length, inner } = around(x.shape, axis);
  const out: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let best = 0;
      const at = (l: number): number => sign * x.data[(o * length + l) * inner + i]!;
      for (let l = 1; l < length; l++)
        if (!Number.isNaN(at(best)) && (Number.isNaN(at(l)) || at(l) > at(best))) best = l;
      out.push(best);
    }
  }
  return out;
}

/** Whether some (`every`: each) element over axes is not zero, as 0 or 1. */
export function truth(x: Dense, axes: readonly number[], every: boolean): Dense {
  const y = build(keptShape(x.shape, axes), () => Number(every));
  x.data.forEach((v, i) => {
    if ((v !== 0) !== every) y.data[ravel(unravel(i, x.shape), y.shape)] = Number(!every);
  });
  return y;
}
