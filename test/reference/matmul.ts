import { accumulator, addTerm, build, count, joint, ravel, unravel, type Dense } from './dense.ts';

/** Calls f(iy, ia, ib) for every term y[iy] += a[ia] b[ib] of a product; returns the shape of y. */
function walk(
  a: readonly number[],
  b: readonly number[],
  transposeA: boolean,
  transposeB: boolean,
  f: (iy: number, ia: number, ib: number) => void,
): number[] {
  const [p, q] = [a.length === 1 ? [1, a[0]!] : a, b.length === 1 ? [b[0]!, 1] : b];
  const [tA, tB] = [transposeA && a.length > 1, transposeB && b.length > 1];
  const [m, k] = tA ? [p.at(-1)!, p.at(-2)!] : [p.at(-2)!, p.at(-1)!];
  const n = tB ? q.at(-2)! : q.at(-1)!;
  const lead = joint(p.slice(0, -2), q.slice(0, -2));
  for (let l = 0; l < count(lead); l++) {
    const at = unravel(l, lead);
    const [baseA, baseB] = [ravel(at, p.slice(0, -2)) * m * k, ravel(at, q.slice(0, -2)) * k * n];
    for (let i = 0; i < m; i++) {
      for (let t = 0; t < k; t++) {
        const ia = baseA + (tA ? t * m + i : i * k + t);
        for (let j = 0; j < n; j++) f((l * m + i) * n + j, ia, baseB + (tB ? j * k + t : t * n + j));
      }
    }
  }
  return [...lead, ...(a.length > 1 ? [m] : []), ...(b.length > 1 ? [n] : [])];
}

/** a b over the last two axes, leading axes broadcast, vectors as in torch.matmul; S = sum of |a_ik b_kj|. */
export function matmul(a: Dense, b: Dense, transposeA = false, transposeB = false): Required<Dense> {
  const shape = walk(a.shape, b.shape, transposeA, transposeB, () => undefined);
  const y = accumulator(shape);
  walk(a.shape, b.shape, transposeA, transposeB, (iy, ia, ib) => addTerm(y, iy, a.data[ia]! * b.data[ib]!));
  return y;
}

/** Gradients of {@link matmul}. */
export function matmulGradient(
  dy: Dense,
  a: Dense,
  b: Dense,
  transposeA = false,
  transposeB = false,
): [Required<Dense>, Required<Dense>] {
  const [da, db] = [accumulator(a.shape), accumulator(b.shape)];
  walk(a.shape, b.shape, transposeA, transposeB, (iy, ia, ib) => {
    addTerm(da, ia, dy.data[iy]! * b.data[ib]!);
    addTerm(db, ib, dy.data[iy]! * a.data[ia]!);
  });
  return [da, db];
}

/** x w' + b, with relu on request; S counts the bias. */
export function linear(x: Dense, w: Dense, b: Dense | null, relu = false): Required<Dense> {
  const n = w.shape[0]!;
  const rows = { ...x, shape: [count(x.shape.slice(0, -1)), x.shape.at(-1)!] };
  const y = { ...matmul(rows, w, false, true), shape: [...x.shape.slice(0, -1), n] };
  y.data.forEach((_, i) => {
    if (b) addTerm(y, i, b.data[i % n]!);
    if (relu) y.data[i] = Math.max(0, y.data[i]!);
  });
  return y;
}

/** Gradients of {@link linear} with respect to x, w and b. */
export function linearGradient(dy: Dense, x: Dense, w: Dense, b: Dense | null, relu = false): Dense[] {
  const [out, features] = w.shape as [number, number];
  const y = linear(x, w, b, relu);
  const rows = count(x.shape.slice(0, -1));
  const dz = build([rows, out], (i) => (relu && y.data[i]! <= 0 ? 0 : dy.data[i]!));
  const db = accumulator([out]);
  dz.data.forEach((d, i) => addTerm(db, i % out, d));
  const [dx, dw] = matmulGradient(dz, { ...x, shape: [rows, features] }, w, false, true);
  return [{ ...dx, shape: x.shape }, dw, ...(b ? [db] : [])];
}
