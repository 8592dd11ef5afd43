import { checkOptions, integer, oneOf } from '../check/check.ts';
import type { Confidences } from './confidence.ts';
import { byMass } from './weights.ts';

/** One bin of a reliability diagram. */
export interface ReliabilityBin {
  /** The bin is (lo, hi], compared in f32; the first one also holds its lo. */
  lo: number;
  hi: number;
  /** Rows whose confidence falls into the bin. */
  count: number;
  /** Mean confidence, by weight; NaN when the bin is empty, or all of it has weight 0. */
  confidence: number;
  /** Fraction correct, by weight; NaN as above. */
  accuracy: number;
  /** Share of the weights that falls into the bin; only where `sampleWeight` or `prior` are given. */
  share?: number;
}

/** How confidences are put into bins. */
export interface BinOptions {
  /** Number of bins. Default: 15. */
  numBins?: number;
  /**
   * 'width' (default): edges i / numBins, so that bins may be empty. 'mass': as many rows, by weight, in each as can
   * be, edges at the confidences of ranks i rows / numBins; equal confidences share a bin, so that bins may be fewer,
   * and none is empty.
   */
  binning?: 'width' | 'mass';
  /**
   * 'released-code': bins of the code of MbLS and CALS, which are open below. A confidence of 0 falls out, and with
   * 'mass', whose edges are then interpolated between ranks, the smallest confidence; rows that fall out still count as
   * rows. Where all confidences are f32 numbers that code is followed in f32: bins of equal width end at the values of
   * `torch.linspace`, which for some numBins, 15 among them, miss i / numBins by a rounding error. Others are compared
   * in f64.
   */
  compat?: 'released-code';
}

/** Rules of {@link BinOptions}. */
export const BINS = { numBins: integer(1), binning: oneOf('width', 'mass'), compat: oneOf('released-code') } as const;

/** A bin with the terms of its error. */
export interface WeighedBin extends ReliabilityBin {
  share: number;
  /** Rows of equal weight that would vary as much: (sum of weights)^2 / sum of their squares. */
  effective: number;
}

/** Throws RangeError, naming `where`, on bin options that are none. */
export function checkBins(where: string, options: BinOptions): void {
  checkOptions(where, options, BINS);
}

/**
 * The bin of each confidence, -1 for one that falls out, and the edges of the bins. Confidences and edges are compared
 * in f32, so that a probability on an edge falls into the bin below it in f32 and in f64 alike.
 */
export function assignBins(
  { confidence, weights }: Confidences,
  { numBins = 15, binning = 'width', compat }: BinOptions,
): { bin: Int32Array; edges: number[] } {
  const round = compat && confidence.some((c) => c !== Math.fround(c)) ? (v: number) => v : Math.fround;
  const edges =
    binning === 'width'
      ? Array.from({ length: numBins + 1 }, (_, i) => i / numBins)
      : compat
        ? releasedMassEdges(confidence.slice().sort(), numBins)
        : massEdges(confidence, weights.rows, numBins);
  const compared = binning === 'width' && compat && round === Math.fround ? releasedEdges(numBins) : edges.map(round);
  return {
    edges,
    bin: Int32Array.from(confidence, (c) =>
      compat && round(c) <= compared[0]! ? -1 : Math.max(0, lowerBound(compared, round(c)) - 1),
    ),
  };
}

/** Reliability bins of confidences and hits (1 or 0). */
export function fillBins(of: Confidences, options: BinOptions): WeighedBin[] {
  const { confidence, hit, weights } = of;
  const { bin, edges } = assignBins(of, options);
  const out = Array.from({ length: edges.length - 1 }, (_, i) => ({
    lo: edges[i]!,
    hi: edges[i + 1]!,
    count: 0,
    confidence: 0,
    accuracy: 0,
    share: 0,
    effective: 0,
  }));
  bin.forEach((b, r) => {
    if (b < 0) return;
    const w = weights.rows[r]!;
    out[b]!.count++;
    out[b]!.confidence += w * confidence[r]!;
    out[b]!.accuracy += w * hit[r]!;
    out[b]!.share += w;
    out[b]!.effective += w * w;
  });
  for (const b of out) {
    b.confidence /= b.share; // 0 / 0 is the NaN of an empty bin
    b.accuracy /= b.share;
    b.effective = b.share ** 2 / b.effective;
    b.share /= weights.total;
  }
  return out;
}

/** torch.linspace(0, 1, numBins + 1) in f32: from both ends in steps of 1 / numBins. */
function releasedEdges(numBins: number): number[] {
  const step = Math.fround(1 / numBins);
  return Array.from({ length: numBins + 1 }, (_, i) => {
    const below = i < Math.floor((numBins + 1) / 2);
    return below ? Math.fround(step * i) : Math.fround(1 - Math.fround(step * (numBins - i)));
  });
}

/** np.interp(np.linspace(0, n, numBins + 1), np.arange(n), sorted): edges of the released code over sorted values. */
function releasedMassEdges(sorted: Float64Array, numBins: number): number[] {
  const n = sorted.length;
  return Array.from({ length: numBins + 1 }, (_, i) => {
    const at = Math.min(n - 1, (i * n) / numBins);
    const below = Math.min(Math.floor(at), Math.max(0, n - 2));
    return n === 1 ? sorted[0]! : sorted[below]! + (sorted[below + 1]! - sorted[below]!) * (at - below);
  });
}

/** Edges of bins of equal mass. */
function massEdges(values: Float64Array, weight: Float64Array, numBins: number): number[] {
  const at = byMass(values, weight);
  const least = values.reduce((a, b) => Math.min(a, b));
  // The first bin is closed below and may be the smallest value alone.
  const edges = [least, at(values.length / numBins)];
  for (let i = 2; i <= numBins; i++) {
    const edge = at((i * values.length) / numBins);
    if (Math.fround(edge) > Math.fround(edges.at(-1)!)) edges.push(edge);
  }
  return edges;
}

/** Index of the first edge that is not below `value`; at most the last. */
function lowerBound(edges: readonly number[], value: number): number {
  let [low, high] = [0, edges.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
