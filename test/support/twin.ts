import { expect } from 'vitest';
import { expectSameBits } from './check-op.ts';
import { gpu } from './gpu.ts';

/**
 * WGSL lets a driver contract a b + c into one rounding, which lavapipe and GPUs do and SwiftShader does not: there the
 * device has the bits of its twin on the host, elsewhere the same numbers but for rounding.
 */
const mayContract = (): boolean => !/swiftshader/i.test(gpu.adapter.name);

/**
 * Fails unless `got` is what the twin on the host gives: bit by bit, or where the driver contracts within `relative` of
 * |want| and of the largest number. `relative`: what a rounding grows to; default 2^-20, a few of the formulas for
 * normal and exponential numbers. `rejects`: the numbers are drawn by rejection, where a rounding at the border decides
 * between two candidates; then one number in 500 may be another.
 */
export function expectTwin(
  got: Float32Array,
  want: Float32Array,
  what: string,
  { relative = 2 ** -20, rejects = false }: { relative?: number; rejects?: boolean } = {},
): void {
  if (!mayContract()) return expectSameBits(got, want, what);
  expect(got.length, `${what}: elements`).toBe(want.length);
  const largest = want.reduce((most, v) => Math.max(most, Number.isFinite(v) ? Math.abs(v) : 0), 0);
  const isOff = (v: number, i: number): boolean =>
    !Object.is(v, got[i]) && !(Math.abs(got[i]! - v) <= relative * Math.abs(v) + 2 ** -20 * largest);
  const off = Array.from(want).flatMap((v, i) => (isOff(v, i) ? [`element ${i}: ${got[i]} and ${v}`] : []));
  if (off.length > (rejects ? want.length / 500 : 0)) expect(off.slice(0, 5), what).toEqual([]);
}
