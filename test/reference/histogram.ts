import { accumulator, addTerm, build, type Dense } from './dense.ts';

/** Counts by bin, as numpy.histogram over the edges low + i (high - low) / bins in f32. */
export function histogram(x: Dense, bins: number, low: number, high: number): number[] {
  const edges = Float32Array.from({ length: bins + 1 }, (_, i) =>
    i === bins ? high : low + (i * (high - low)) / bins,
  );
  const counts = new Array<number>(bins).fill(0);
  for (const v of x.data) {
    if (v === edges[bins]) counts[bins - 1]!++;
    else {
      const b = edges.findIndex((edge, i) => i < bins && v >= edge && v < edges[i + 1]!);
      if (b >= 0) counts[b]!++;
    }
  }
  return counts;
}

/** Sum of the weights of each class; labels outside 0..classes-1 add nothing. */
export function bincount(labels: readonly number[], classes: number, weights: Dense): Dense {
  const y = accumulator([classes]);
  labels.forEach((c, i) => {
    if (c >= 0 && c < classes) addTerm(y, c, weights.data[i]!);
  });
  return y;
}

/** Gradient of {@link bincount} with respect to the weights. */
export function bincountGradient(dy: Dense, labels: readonly number[], weights: Dense): Dense {
  return build(weights.shape, (i) => dy.data[labels[i]!] ?? 0);
}
