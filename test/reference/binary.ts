import { accumulator, addTerm, build, count, joint, ravel, unravel, type Dense } from './dense.ts';

/** A function of two numbers with its partial derivatives. */
export interface Scalar2 {
  f: (a: number, b: number) => number;
  da: (a: number, b: number) => number;
  db: (a: number, b: number) => number;
}

const none = (): number => 0;
const half = (wins: boolean, ties: boolean): number => (ties ? 0.5 : Number(wins));

/** The elementwise functions of src/ops/binary.ts in f64. Ties of maximum and minimum split the gradient evenly. */
export const scalars2 = {
  add: { f: (a, b) => a + b, da: () => 1, db: () => 1 },
  sub: { f: (a, b) => a - b, da: () => 1, db: () => -1 },
  mul: { f: (a, b) => a * b, da: (_a, b) => b, db: (a) => a },
  div: { f: (a, b) => a / b, da: (_a, b) => 1 / b, db: (a, b) => -a / (b * b) },
  pow: {
    f: (a, b) => a ** b,
    da: (a, b) => (b === 0 ? 0 : b * a ** (b - 1)),
    db: (a, b) => (a > 0 ? a ** b * Math.log(a) : 0),
  },
  maximum: { f: Math.max, da: (a, b) => half(a > b, a === b), db: (a, b) => half(b > a, a === b) },
  minimum: { f: Math.min, da: (a, b) => half(a < b, a === b), db: (a, b) => half(b < a, a === b) },
  greater: { f: (a, b) => Number(a > b), da: none, db: none },
  greaterEqual: { f: (a, b) => Number(a >= b), da: none, db: none },
  less: { f: (a, b) => Number(a < b), da: none, db: none },
  lessEqual: { f: (a, b) => Number(a <= b), da: none, db: none },
  equal: { f: (a, b) => Number(a === b), da: none, db: none },
  notEqual: { f: (a, b) => Number(a !== b), da: none, db: none },
  maskPositive: { f: (a, b) => (b > 0 ? a : 0), da: (_a, b) => Number(b > 0), db: none },
} satisfies Record<string, Scalar2>;

/** f(a, b) with NumPy broadcasting. */
export function binary(s: Scalar2, a: Dense, b: Dense): Dense {
  const shape = joint(a.shape, b.shape);
  return build(shape, (i) => {
    const at = unravel(i, shape);
    return s.f(a.data[ravel(at, a.shape)]!, b.data[ravel(at, b.shape)]!);
  });
}

/** Gradients with respect to a and b, summed over broadcast axes. */
export function binaryGradient(s: Scalar2, dy: Dense, a: Dense, b: Dense): [Dense, Dense] {
  const shape = joint(a.shape, b.shape);
  const [da, db] = [accumulator(a.shape), accumulator(b.shape)];
  for (let i = 0; i < count(shape); i++) {
    const at = unravel(i, shape);
    const [p, q] = [ravel(at, a.shape), ravel(at, b.shape)];
    addTerm(da, p, dy.data[i]! * s.da(a.data[p]!, b.data[q]!));
    addTerm(db, q, dy.data[i]! * s.db(a.data[p]!, b.data[q]!));
  }
  return [da, db];
}
