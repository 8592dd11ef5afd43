import { build, type Dense } from '../reference/dense.ts';
import { testRandom } from './fuzz.ts';

/** Where sampled values lie. */
export interface SampleOptions {
  seed?: number;
  low?: number;
  high?: number;
  /** Points that no value comes nearer to than 1/100: kinks. */
  away?: readonly number[];
}

/** Seeded values in [low, high), each an f32. */
export function sample(
  shape: readonly number[],
  { seed = 1, low = -2, high = 2, away = [] }: SampleOptions = {},
): Dense {
  const random = testRandom(seed);
  const draw = (): number => Math.fround(low + ((high - low) * random(2 ** 20)) / 2 ** 20);
  return build(shape, () => {
    let v = draw();
    while (away.some((k) => Math.abs(v - k) < 0.01)) v = draw();
    return v;
  });
}

/** Different values, 1/64 apart, in random order: no two are near a tie. */
export function distinct(
  shape: readonly number[],
  { seed = 1, offset = 0 }: { seed?: number; offset?: number } = {},
): Dense {
  const random = testRandom(seed);
  const x = build(shape, (i) => i);
  for (let i = x.data.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [x.data[i], x.data[j]] = [x.data[j]!, x.data[i]!];
  }
  const middle = Math.floor(x.data.length / 2);
  return build(shape, (i) => (x.data[i]! - middle) / 64 + offset);
}

/** Seeded integers in 0..bound-1. */
export function integers(count: number, bound: number, seed = 1): number[] {
  const random = testRandom(seed);
  return Array.from({ length: count }, () => random(bound));
}
