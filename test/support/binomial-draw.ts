import { binomialCdf } from '../../src/stats/index.ts';

/** The least k with P[Bin(n, p) <= k] >= u: a draw of Bin(n, p) for a uniform u. */
export function binomialDraw(u: number, n: number, p: number): number {
  let [low, high] = [0, n];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (binomialCdf(middle, n, p) >= u) high = middle;
    else low = middle + 1;
  }
  return low;
}
