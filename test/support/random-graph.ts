import fc from 'fast-check';
import { broadcastShapes } from '../../src/tensor/shape.ts';
import { build, unravel, type Dense } from '../reference/dense.ts';
import { sample } from './sample.ts';

/** One step of a random program; `a` and `b` choose among the values so far, modulo what fits. */
export interface Step {
  kind: (typeof KINDS)[number];
  name: number;
  a: number;
  b: number;
}

/** A random differentiable program: leaves of two axes, then steps, each using earlier values. */
export interface Program {
  shapes: readonly (readonly [number, number])[];
  steps: readonly Step[];
  seed: number;
}

const KINDS = ['unary', 'binary', 'binary', 'reduce', 'transpose', 'matmul'] as const;

/** Smooth functions with values of moderate size. */
export const UNARY: Readonly<Record<string, (x: number) => number>> = {
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  square: (x) => x * x,
  neg: (x) => -x,
  silu: (x) => x / (1 + Math.exp(-x)),
  exp: Math.exp,
};

/** What a program needs of an engine; V is its array. */
export interface Backend<V> {
  leaf(values: Dense): V;
  shape(x: V): readonly number[];
  unary(name: string, x: V): V;
  binary(name: 'add' | 'sub' | 'mul', a: V, b: V): V;
  /** Over one axis, which stays with size 1. */
  reduce(name: 'sum' | 'mean', x: V, axis: number): V;
  transpose(x: V): V;
  /** a b' */
  matmul(a: V, b: V): V;
}

/** Random programs of at most `most` steps on sizes 1 to 4. */
export function programs(most: number): fc.Arbitrary<Program> {
  const size = fc.integer({ min: 1, max: 4 });
  return fc.record({
    shapes: fc
      .record({
        rows: size,
        columns: size,
        parts: fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 3 }),
      })
      .map(({ rows, columns, parts }) => parts.map(([r, c]) => [r ? rows : 1, c ? columns : 1] as const)),
    steps: fc.array(fc.record({ kind: fc.constantFrom(...KINDS), name: fc.nat(100), a: fc.nat(100), b: fc.nat(100) }), {
      minLength: 1,
      maxLength: most,
    }),
    seed: fc.nat(1000),
  });
}

/** The leaves of a program, in [-1, 1). */
export function leavesOf({ shapes, seed }: Program): Dense[] {
  return shapes.map((shape, i) => sample(shape, { seed: seed + 7919 * i, low: -1, high: 1 }));
}

/**
 * Runs the steps on the leaves; the result is the last value. Products and sums are squashed, so that nothing grows.
 */
export function run<V>({ steps }: Program, leaves: readonly V[], engine: Backend<V>): V {
  const values = [...leaves];
  const pick = (n: number, from: readonly V[]): V => from[n % from.length]!;
  for (const { kind, name, a, b } of steps) {
    const x = pick(a, values);
    const shape = engine.shape(x);
    if (kind === 'unary') values.push(engine.unary(Object.keys(UNARY)[name % 7]!, engine.unary('tanh', x)));
    else if (kind === 'transpose') values.push(engine.transpose(x));
    else if (kind === 'reduce') values.push(engine.unary('tanh', engine.reduce(name % 2 ? 'sum' : 'mean', x, b % 2)));
    else if (kind === 'matmul') {
      const y = pick(
        b,
        values.filter((v) => engine.shape(v)[1] === shape[1]),
      );
      values.push(engine.unary('tanh', engine.matmul(x, y)));
    } else {
      const y = pick(
        b,
        values.filter((v) => broadcastShapes(engine.shape(v), shape)),
      );
      values.push(engine.unary('tanh', engine.binary((['add', 'sub', 'mul'] as const)[name % 3]!, x, y)));
    }
  }
  return values.at(-1)!;
}

/** Plain loops in f64. */
export const f64: Backend<Dense> = {
  leaf: (values) => values,
  shape: (x) => x.shape,
  unary: (name, x) => build(x.shape, (i) => UNARY[name]!(x.data[i]!)),
  binary(name, a, b) {
    const shape = broadcastShapes(a.shape, b.shape)!;
    const f = {
      add: (p: number, q: number) => p + q,
      sub: (p: number, q: number) => p - q,
      mul: (p: number, q: number) => p * q,
    }[name];
    const at = (x: Dense, [r, c]: number[]): number =>
      x.data[(x.shape[0] === 1 ? 0 : r!) * x.shape[1]! + (x.shape[1] === 1 ? 0 : c!)]!;
    return build(shape, (i) => f(at(a, unravel(i, shape)), at(b, unravel(i, shape))));
  },
  reduce(name, x, axis) {
    const n = x.shape[axis]!;
    return build(
      x.shape.map((d, i) => (i === axis ? 1 : d)),
      (i) => {
        let total = 0;
        for (let k = 0; k < n; k++) total += x.data[axis === 0 ? k * x.shape[1]! + i : i * n + k]!;
        return name === 'sum' ? total : total / n;
      },
    );
  },
  transpose: (x) =>
    build([x.shape[1]!, x.shape[0]!], (i) => x.data[(i % x.shape[0]!) * x.shape[1]! + Math.floor(i / x.shape[0]!)]!),
  matmul(a, b) {
    const [n, k] = [b.shape[0]!, a.shape[1]!];
    return build([a.shape[0]!, n], (i) => {
      let total = 0;
      for (let j = 0; j < k; j++) total += a.data[Math.floor(i / n) * k + j]! * b.data[(i % n) * k + j]!;
      return total;
    });
  },
};
