/** One bin of a reliability diagram. */
export interface ReliabilityBin {
  /** The bin is (lo, hi]; the first one also holds its lo. */
  lo: number;
  hi: number;
  /** Rows whose confidence falls into the bin. */
  count: number;
  /** Mean confidence; NaN when the bin is empty. */
  confidence: number;
  /** Fraction correct; NaN when the bin is empty. */
  accuracy: number;
}

/** How confidences are put into bins. */
export interface BinOptions {
  /** Number of bins. Default: 15. */
  nBins?: number;
  /**
   * 'width' (default): edges i / nBins, so that bins may be empty. 'mass': as many rows in each as can be, edges at the
   * confidences of ranks i rows / nBins; equal confidences share a bin, so that bins may be fewer, and none is empty.
   */
  binning?: 'width' | 'mass';
  /**
   * 'released-code': bins of the code of MbLS and CALS, which are open below. A confidence of 0 falls out, and with 'mass',
   * whose edges are then interpolated between ranks, the smallest confidence; rows that fall out still count as rows.
   */
  compat?: 'released-code';
}

/** Throws RangeError, naming `where`, on bin options that are none. */
export function checkBins(where: string, { nBins = 15, binning = 'width', compat }: BinOptions): void {
  if (!(Number.isSafeInteger(nBins) && nBins >= 1)) throw new RangeError(`${where}: nBins is ${nBins}, expected an integer >= 1`);
  if (binning !== 'width' && binning !== 'mass') throw new RangeError(`${where}: binning is ${String(binning)}, expected 'width' or 'mass'`);
  if (compat !== undefined && compat !== 'released-code') throw new RangeError(`${where}: compat is ${String(compat)}, expected 'released-code'`);
}

/** The bin of each confidence, -1 for one that falls out, and the edges of the bins. */
export function assignBins(confidence: Float64Array, { nBins = 15, binning = 'width', compat }: BinOptions): { bin: Int32Array; edges: number[] } {
  const edges = binning === 'width' ? Array.from({ length: nBins + 1 }, (_, i) => i / nBins) : massEdges(confidence.slice().sort(), nBins, compat);
  const find = binning === 'width' ? (c: number) => binOfWidth(c, nBins) : (c: number) => Math.max(0, lowerBound(edges, c) - 1);
  return { edges, bin: Int32Array.from(confidence, (c) => (compat && c <= edges[0]! ? -1 : find(c))) };
}

/** Reliability bins of confidences and hits (1 or 0). */
export function fillBins(confidence: Float64Array, hit: ArrayLike<number>, options: BinOptions): ReliabilityBin[] {
  const { bin, edges } = assignBins(confidence, options);
  const out = Array.from({ length: edges.length - 1 }, (_, i) => ({ lo: edges[i]!, hi: edges[i + 1]!, count: 0, confidence: 0, accuracy: 0 }));
  bin.forEach((b, r) => {
    if (b < 0) return;
    out[b]!.count++;
    out[b]!.confidence += confidence[r]!;
    out[b]!.accuracy += hit[r]!;
  });
  for (const b of out) {
    b.confidence /= b.count; // 0 / 0 is the NaN of an empty bin
    b.accuracy /= b.count;
  }
  return out;
}

/** Edges of bins of equal mass over sorted values. */
function massEdges(sorted: Float64Array, nBins: number, compat: BinOptions['compat']): number[] {
  const n = sorted.length;
  if (compat) {
    // np.interp(np.linspace(0, n, nBins + 1), np.arange(n), sorted)
    return Array.from({ length: nBins + 1 }, (_, i) => {
      const at = Math.min(n - 1, (i * n) / nBins);
      const below = Math.min(Math.floor(at), Math.max(0, n - 2));
      return n === 1 ? sorted[0]! : sorted[below]! + (sorted[below + 1]! - sorted[below]!) * (at - below);
    });
  }
  // The first bin is closed below and may be the smallest value alone.
  const edges = [sorted[0]!, sorted[Math.ceil(n / nBins) - 1]!];
  for (let i = 2; i <= nBins; i++) {
    const edge = sorted[Math.ceil((i * n) / nBins) - 1]!;
    if (edge > edges.at(-1)!) edges.push(edge);
  }
  return edges;
}

/** The i with i / nBins < confidence <= (i + 1) / nBins, by the very edges that are reported; 0 for confidence <= 0. */
function binOfWidth(confidence: number, nBins: number): number {
  let i = Math.min(nBins - 1, Math.max(0, Math.ceil(confidence * nBins) - 1));
  while (i > 0 && confidence <= i / nBins) i--;
  while (i < nBins - 1 && confidence > (i + 1) / nBins) i++;
  return i;
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
