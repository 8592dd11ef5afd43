import { accumulator, addTerm, build, type Dense } from './dense.ts';

/** The transpose of a matrix. */
export function transposed(x: Dense): Dense {
  const [rows, cols] = x.shape as [number, number];
  return build([cols, rows], (i) => x.data[(i % rows) * cols + Math.floor(i / rows)]!);
}

/** a b, with S = sum of |a_ik b_kj|. */
export function product(a: Dense, b: Dense): Required<Dense> {
  const [m, k] = a.shape as [number, number];
  const n = b.shape[1]!;
  const y = accumulator([m, n]);
  for (let i = 0; i < m; i++) {
    for (let t = 0; t < k; t++) {
      for (let j = 0; j < n; j++) addTerm(y, i * n + j, a.data[i * k + t]! * b.data[t * n + j]!);
    }
  }
  return y;
}

/** matmul with either operand stored transposed. */
export function matmul(a: Dense, b: Dense, transposeA = false, transposeB = false): Required<Dense> {
  return product(transposeA ? transposed(a) : a, transposeB ? transposed(b) : b);
}

/** Gradients of {@link matmul}. */
export function matmulGradient(dy: Dense, a: Dense, b: Dense, transposeA = false, transposeB = false): [Dense, Dense] {
  const [p, q] = [transposeA ? transposed(a) : a, transposeB ? transposed(b) : b];
  const [da, db] = [product(dy, transposed(q)), product(transposed(p), dy)];
  const back = (d: Required<Dense>, yes: boolean): Dense => (yes ? { ...transposed(d), sum: transposed({ ...d, data: d.sum }).data } : d);
  return [back(da, transposeA), back(db, transposeB)];
}

/** x w' + b, with relu on request; S counts the bias. */
export function linear(x: Dense, w: Dense, b: Dense | null, relu = false): Required<Dense> {
  const y = matmul(x, w, false, true);
  const n = w.shape[0]!;
  y.data.forEach((_, i) => {
    if (b) addTerm(y, i, b.data[i % n]!);
    if (relu) y.data[i] = Math.max(0, y.data[i]!);
  });
  return y;
}

/** Gradients of {@link linear} with respect to x, w and b. */
export function linearGradient(dy: Dense, x: Dense, w: Dense, b: Dense | null, relu = false): Dense[] {
  const y = linear(x, w, b, relu);
  const dz = build(dy.shape, (i) => (relu && y.data[i]! <= 0 ? 0 : dy.data[i]!));
  const db = accumulator([w.shape[0]!]);
  dz.data.forEach((d, i) => addTerm(db, i % w.shape[0]!, d));
  return [product(dz, w), product(transposed(dz), x), ...(b ? [db] : [])];
}
