import { describe, expect, test } from 'vitest';
import { backward, grad, requireGrad, tensor, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import type { Comparison } from '../../src/ops/compare.ts';
import { readAll, takeGrad } from '../support/check-op.ts';
import { ulp } from '../support/tolerance.ts';
import { binaries, unaries, type Rule } from '../reference/special-values.ts';

const LEAST = 2 ** -126;
const f32 = Math.fround;
/** 0, subnormals, the least normal number, 1, powers that overflow, the largest f32, infinities, NaN of both signs. */
const positive = [
  0,
  2 ** -149,
  1e-40,
  LEAST,
  1e-30,
  0.01,
  0.5,
  1,
  1.5,
  2,
  80,
  88,
  89,
  1e19,
  1e30,
  3.4028234663852886e38,
  Infinity,
].map(f32);
const special = [...positive, ...positive.map((x) => -x), NaN];

/** NaN with a sign bit and without, which arithmetic makes both; a quiet one of any payload. */
const nans = (): Float32Array<ArrayBuffer> =>
  new Float32Array(new Uint32Array([0x7fc00000, 0xffc00000, 0x7fc12345]).buffer);
const isNan = (bits: number): boolean => (bits & 0x7fffffff) > 0x7f800000;
const wordsOf = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);

/** An argument that a device may take for zero, and zero. */
const flushed = (x: number): number[] => (x !== 0 && Math.abs(x) < LEAST ? [x, x < 0 ? -0 : 0] : [x]);

/** True where `got` is within the bound of one of the values wanted, or both are NaN, or both overflow. */
function agrees(got: number, want: number, bound: number): boolean {
  if (Number.isNaN(want)) return Number.isNaN(got);
  if (got === want) return true;
  // At the border of the range a last place decides between the largest number and infinity.
  const clipped = (v: number): number => Math.sign(v) * Math.min(Math.abs(v), 2 ** 128);
  return (
    Math.abs(clipped(got) - clipped(want)) <= bound + (Math.abs(want) > 3.4e38 && Number.isFinite(want) ? 2 ** 104 : 0)
  );
}

const errors = (
  name: string,
  got: Float32Array,
  wants: readonly (readonly number[])[],
  places: readonly string[],
  relative: number,
  absolute = LEAST,
): string[] =>
  places.flatMap((place, i) =>
    wants[i]!.some((want) => agrees(got[i]!, want, relative * ulp(want) + absolute))
      ? []
      : [`${name} at ${place} is ${got[i]}, expected ${wants[i]}`],
  );

const gradientBy = {
  backward: (run: (x: Tensor) => Tensor, x: ArrayLike<number>) =>
    readAll(() => {
      const t = requireGrad(tensor(Float32Array.from(x)));
      backward(ops.sum(run(t)));
      return [takeGrad(t)];
    }),
  'grad with createGraph': (run: (x: Tensor) => Tensor, x: ArrayLike<number>) =>
    readAll(() => {
      const t = requireGrad(tensor(Float32Array.from(x)));
      return [...grad(ops.sum(run(t)), [t], { createGraph: true })];
    }),
};

describe.each(Object.entries(unaries))('%s', (name, { run, f, df, error = 4, slopeError }: Rule) => {
  test('values', async () => {
    const [y] = await readAll(() => [run(tensor(Float32Array.from(special)))]);
    expect(
      errors(
        name,
        y!,
        special.map((x) => flushed(x).map(f)),
        special.map(String),
        error,
      ),
    ).toEqual([]);
  });

  test.each(Object.entries(gradientBy))('gradient by %s', async (_, gradient) => {
    if (!df) return expect((await gradient((x) => ops.mul(run(x), 1), [0.3]))[0]).toEqual(Float32Array.of(0));
    // At a pole of either sign the zeros of a device that flushes are as good as the argument.
    const [g] = await gradient(run, special);
    expect(
      errors(
        `slope of ${name}`,
        g!,
        special.map((x) => flushed(x).map(df)),
        special.map(String),
        4 * error,
        slopeError,
      ),
    ).toEqual([]);
  });

  test('NaN of every kind stays NaN, in vectors of four and alone', async () => {
    const four = [0, 0, 0, 0, 0].flatMap(() => [...nans()]).slice(0, 12);
    for (const x of [nans(), Float32Array.from(four)]) {
      const [y] = await readAll(() => [run(tensor(x))]);
      if (Number.isNaN(f(NaN))) expect([...wordsOf(y!)].map(isNan)).toEqual(Array.from(x, () => true));
      else expect([...y!]).toEqual(Array.from(x, () => f(NaN)));
    }
  });
});

describe.each(Object.entries(binaries))('%s', (name, { run, f, error = 4 }) => {
  const values = [
    0,
    -0,
    1,
    -1,
    0.01,
    -2.5,
    3,
    1e30,
    3.4028234663852886e38,
    -3.4028234663852886e38,
    Infinity,
    -Infinity,
    NaN,
  ].map(f32);
  test('values of all pairs, and with a number on either side', async () => {
    const pairs = values.flatMap((a) => values.map((b): [number, number] => [a, b]));
    const [a, b] = [0, 1].map((k) => Float32Array.from(pairs, (p) => p[k]!)) as [
      Float32Array<ArrayBuffer>,
      Float32Array<ArrayBuffer>,
    ];
    const places = pairs.map(([x, y]) => `(${x}, ${y})`);
    const wants = pairs.map(([x, y]) => [f(x, y)]);
    const [y] = await readAll(() => [run(tensor(a), tensor(b))]);
    expect(errors(name, y!, wants, places, error)).toEqual([]);
    for (const [i, v] of values.entries()) {
      const rest = Float32Array.from(values);
      const [left, right] = await readAll(() => [run(v, tensor(rest)), run(tensor(rest), v)]);
      for (const [side, got, pair] of [
        ['left', left!, (w: number) => [v, w]],
        ['right', right!, (w: number) => [w, v]],
      ] as [string, Float32Array, (w: number) => [number, number]][]) {
        const [wanted, at] = [values.map((w) => [f(...pair(w))]), values.map((w) => `(${pair(w).join(', ')})`)];
        expect(errors(`${name}, number ${side}`, got, wanted, at, error), String(i)).toEqual([]);
      }
    }
  });
});

describe('comparisons with NaN are false, and notEqual is true', () => {
  const comparisons: [string, Comparison<'f32'>][] = [
    ['equal', ops.equal],
    ['notEqual', ops.notEqual],
    ['greater', ops.greater],
    ['greaterEqual', ops.greaterEqual],
    ['less', ops.less],
    ['lessEqual', ops.lessEqual],
  ];
  test.each(comparisons)('%s', async (name, compare) => {
    const a = Float32Array.from([...nans(), ...nans(), 1, Infinity, 0]);
    const b = Float32Array.from([...nans(), 1, 0, -Infinity, ...nans()]);
    const got = await readAll(() => [
      compare(tensor(a), tensor(b)),
      compare(tensor(a.slice(0, 3)), 1),
      compare(NaN, tensor(b.slice(0, 5))),
    ]);
    for (const part of got) expect([...part].map(Number)).toEqual([...part].map(() => Number(name === 'notEqual')));
  });

  test('isFinite of what is not', async () => {
    const [y] = await readAll(() => [
      ops.isFinite(tensor(Float32Array.from([...nans(), Infinity, -Infinity, 0, -3.4e38]))),
    ]);
    expect([...y!].map(Number)).toEqual([0, 0, 0, 0, 0, 1, 1]);
  });
});
