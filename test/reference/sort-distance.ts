import { accumulator, addTerm, build, count, type Dense } from './dense.ts';

const rowsOf = (x: Dense): number => count(x.shape.slice(0, -1));

/** Shares q (1-q)^j / (1 - (1-q)^K) of the K largest terms. */
function sharesOf(keep: number, terms: number): number[] {
  return Array.from({ length: terms }, (_, j) => (keep * (1 - keep) ** j) / (1 - (1 - keep) ** terms));
}

/** The indices of the largest values first, NaN above all; equals in their own order. */
const order = (t: readonly number[]): number[] => {
  const key = (i: number): number => (Number.isNaN(t[i]) ? Infinity : Math.min(t[i]!, 1e300));
  return t.map((_, i) => i).sort((a, b) => (key(a) === key(b) ? a - b : key(b) - key(a)));
};

const weighted = (t: readonly number[], keep: number, terms: number): number => {
  const places = order(t);
  return sharesOf(keep, Math.max(1, Math.min(terms, t.length))).reduce(
    (sum, c, j) => sum + (c === 0 ? 0 : c * (t[places[j]!] ?? 0)),
    0,
  );
};

const differences = (x: Dense, w: Dense, row: number, o: number): number[] => {
  const features = w.shape[1]!;
  return Array.from({ length: features }, (_, k) => x.data[row * features + k]! - w.data[o * features + k]!);
};

/** The sum of the largest |x - w[o]| by shares, for every row of x. */
export function sortDistance(x: Dense, w: Dense, keep: number, terms: number): Dense {
  const out = w.shape[0]!;
  return build([...x.shape.slice(0, -1), out], (i) =>
    weighted(differences(x, w, Math.floor(i / out), i % out).map(Math.abs), keep, terms),
  );
}

/** Gradients of {@link sortDistance}. */
export function sortDistanceGradient(
  dy: Dense,
  x: Dense,
  w: Dense,
  keep: number,
  terms: number,
): [Required<Dense>, Required<Dense>] {
  const [out, features] = w.shape as [number, number];
  const [dx, dw] = [accumulator(x.shape), accumulator(w.shape)];
  const shares = sharesOf(keep, Math.max(1, Math.min(terms, features)));
  for (let row = 0; row < rowsOf(x); row++) {
    for (let o = 0; o < out; o++) {
      const t = differences(x, w, row, o);
      order(t.map(Math.abs))
        .slice(0, shares.length)
        .forEach((k, j) => {
          const slope = dy.data[row * out + o]! * shares[j]! * (t[k]! < 0 ? -1 : 1);
          addTerm(dx, row * features + k, slope);
          addTerm(dw, o * features + k, -slope);
        });
    }
  }
  return [dx, dw];
}

/** Bounds over a box, by the farthest and the nearest point of each interval. */
export function sortDistanceBounds(
  lower: Dense,
  upper: Dense,
  w: Dense,
  keep: number,
  terms: number,
): { lower: Dense; upper: Dense } {
  const out = w.shape[0]!;
  const bound = (of: (a: number, b: number) => number): Dense =>
    build([...lower.shape.slice(0, -1), out], (i) => {
      const [row, o] = [Math.floor(i / out), i % out];
      const [a, b] = [differences(lower, w, row, o), differences(upper, w, row, o)];
      return weighted(
        a.map((v, k) => of(v, b[k]!)),
        keep,
        terms,
      );
    });
  return {
    lower: bound((a, b) => (a < 0 && b > 0 ? 0 : Math.min(Math.abs(a), Math.abs(b)))),
    upper: bound((a, b) => Math.max(Math.abs(a), Math.abs(b))),
  };
}
