import { INFINITE } from '../check/state.ts';

/**
 * The threshold of average-k where row r of the scores (rows, classes) has weight w_r, of mean 1: scores are taken in
 * falling order until their weights reach k rows. For weights of 1 the same as without.
 */
export function weighedThreshold(
  data: ArrayLike<number>,
  classes: number,
  weight: Float64Array,
  k: number,
  { tie, input }: { tie: 'midpoint' | 'conservative' | 'random'; input: 'probabilities' | 'scores' },
): { threshold: number; tieShare: number } {
  const order = Uint32Array.from({ length: data.length }, (_, i) => i)
    .filter((i) => weight[Math.floor(i / classes)]! > 0)
    .sort((a, b) => data[b]! - data[a]!);
  const wanted = k * weight.length;
  const slack = 1e-9 * data.length;
  const all = { threshold: input === 'scores' ? -INFINITE : 0, tieShare: 1 };
  if (wanted >= data.length - slack) return all;
  let [taken, above] = [0, INFINITE];
  for (let i = 0, end = 0; i < order.length; i = end) {
    const value = data[order[i]!]!;
    let [equal, least] = [0, Infinity];
    for (; end < order.length && data[order[end]!] === value; end++) {
      const w = weight[Math.floor(order[end]! / classes)]!;
      equal += w;
      least = Math.min(least, w);
    }
    if (tie === 'random' && taken + equal >= wanted - slack)
      return { threshold: value, tieShare: Math.min(1, (wanted - taken) / equal) };
    if (taken + equal > wanted + slack) {
      if (tie === 'conservative' || i === 0)
        return { threshold: tie === 'midpoint' && wanted - taken >= least - slack ? value : above, tieShare: 1 };
      return { threshold: wanted - taken >= least - slack ? value : 0.5 * (above + value), tieShare: 1 };
    }
    taken += equal;
    above = value;
  }
  return all;
}
