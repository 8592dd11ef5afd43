import { around, build, type Dense } from './dense.ts';

/** NaN above all numbers; -0 equals 0. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : Number(a > b);
}

/** The k first places along an axis in stable order; the result has k in place of the axis. */
export function order(x: Dense, axis: number, descending: boolean, k: number): Dense {
  const { outer, length, inner } = around(x.shape, axis);
  const out = build(
    x.shape.map((d, i) => (i === axis ? k : d)),
    () => 0,
  );
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const value = (l: number): number => x.data[(o * length + l) * inner + i]!;
      const places = Array.from({ length }, (_, l) => l).sort(
        (a, b) => (descending ? compare(value(b), value(a)) : compare(value(a), value(b))) || a - b,
      );
      for (let j = 0; j < k; j++) out.data[(o * k + j) * inner + i] = places[j]!;
    }
  }
  return out;
}

/** Position in x of each element of a result of {@link order}. */
function sources(x: Dense, places: Dense, axis: number): number[] {
  const { inner, length } = around(x.shape, axis);
  const k = places.shape[axis]!;
  return Array.from(places.data, (l, at) => (Math.floor(at / inner / k) * length + l) * inner + (at % inner));
}

/** The elements at the places of {@link order}. */
export function sorted(x: Dense, axis: number, descending: boolean, k: number): Dense {
  const places = order(x, axis, descending, k);
  const from = sources(x, places, axis);
  return build(places.shape, (at) => x.data[from[at]!]!);
}

/** Gradient of {@link sorted}: each element of dy goes back to where its element was. */
export function sortedGradient(dy: Dense, x: Dense, axis: number, descending: boolean): Dense {
  const places = order(x, axis, descending, dy.shape[axis]!);
  const from = sources(x, places, axis);
  const out = build(x.shape, () => 0);
  from.forEach((to, at) => (out.data[to] = dy.data[at]!));
  return out;
}
