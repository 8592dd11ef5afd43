import { accumulator, addTerm, around, build, type Dense } from './dense.ts';

/** The flat positions of each row along an axis. */
function rows(shape: readonly number[], axis: number): number[][] {
  const { outer, length, inner } = around(shape, axis);
  const out: number[][] = [];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) out.push(Array.from({ length }, (_, l) => (o * length + l) * inner + i));
  }
  return out;
}

/** log(softmax(x)) along an axis. */
export function logSoftmax(x: Dense, axis: number): Dense {
  const y = build(x.shape, () => 0);
  for (const row of rows(x.shape, axis)) {
    const m = Math.max(...row.map((i) => x.data[i]!));
    const lse = m + Math.log(row.reduce((s, i) => s + Math.exp(x.data[i]! - m), 0));
    for (const i of row) y.data[i] = x.data[i]! - lse;
  }
  return y;
}

/** softmax(x) along an axis. */
export function softmax(x: Dense, axis: number): Dense {
  const y = logSoftmax(x, axis);
  return build(x.shape, (i) => Math.exp(y.data[i]!));
}

/** y (dy - sum dy y), with S = y (|dy| + sum |dy y|). */
export function softmaxGradient(dy: Dense, x: Dense, axis: number): Dense {
  const y = softmax(x, axis);
  const dx = accumulator(x.shape);
  for (const row of rows(x.shape, axis)) {
    for (const i of row) {
      addTerm(dx, i, y.data[i]! * dy.data[i]!);
      for (const j of row) addTerm(dx, i, -y.data[i]! * dy.data[j]! * y.data[j]!);
    }
  }
  return dx;
}

/** dy - exp(y) sum dy, with S = |dy| + exp(y) sum |dy|. */
export function logSoftmaxGradient(dy: Dense, x: Dense, axis: number): Dense {
  const y = softmax(x, axis);
  const dx = accumulator(x.shape);
  for (const row of rows(x.shape, axis)) {
    for (const i of row) {
      addTerm(dx, i, dy.data[i]!);
      for (const j of row) addTerm(dx, i, -y.data[i]! * dy.data[j]!);
    }
  }
  return dx;
}

/** Largest difference between two elements of one row. */
export function rangeOf(x: Dense, axis: number): number {
  return Math.max(
    0,
    ...rows(x.shape, axis).map(
      (row) => Math.max(...row.map((i) => x.data[i]!)) - Math.min(...row.map((i) => x.data[i]!)),
    ),
  );
}
