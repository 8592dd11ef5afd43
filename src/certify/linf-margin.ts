import type { LinfDistNet } from '../nn/linf-dist-mlp.ts';
import { add, mul } from '../ops/binary.ts';
import { concat } from '../ops/concat.ts';
import { max } from '../ops/reduce.ts';
import { flatten } from '../ops/reshape.ts';
import { abs } from '../ops/unary.ts';
import { mapBatches, type BatchOptions } from '../nn/map-batches.ts';
import type { NdArray } from '../tensor/ndarray.ts';

/** Certificates of a distance net. */
export interface MarginCertificates {
  /** The class of each input. */
  labels: Int32Array;
  /** No input within this l_infinity distance gets another class; in units of the input, 0 where two outputs tie. */
  radii: Float64Array;
}

/** Unit roundoff of f32. */
const U = 2 ** -24;

/**
 * Half the distance between the two largest outputs, for each input: every output of the net is 1-Lipschitz in the
 * l_infinity norm, whatever its weights. Zhang et al., ICML 2021, proposition 4. An f32 layer that gives y errs by at most
 * 2^-24 |y| and passes earlier errors on undiminished; four times the sum over the layers is taken off, which covers the
 * outputs at the input and at any other one near it. x: (n, ...), batches of 500 by default.
 * Throws RangeError unless the power is infinite.
 */
export async function certifyMargin(model: LinfDistNet, x: NdArray, options: BatchOptions = {}): Promise<MarginCertificates> {
  if (model.power.value !== Infinity) throw new RangeError(`certifyMargin: p is ${model.power.value}, expected Infinity; call model.power.set(Infinity)`);
  const both = await mapBatches(model.arena.values.gpu, x, (batch) => {
    let y = batch;
    let size = null;
    for (const layer of model.layers) {
      y = layer.forward(y, { training: false });
      const largest = max(abs(flatten(y)), { axes: 1, keepDim: true });
      size = size ? add(size, largest) : mul(largest, 1);
    }
    return concat([y, size!], { axis: 1 });
  }, options);
  const width = both.shape[1] ?? 1;
  const labels = new Int32Array(both.length);
  const radii = Float64Array.from({ length: both.length }, (_, i) => {
    const row = both.data.subarray(i * width, (i + 1) * width - 1);
    let top = 0;
    row.forEach((v, j) => (top = v > row[top]! ? j : top));
    labels[i] = top;
    const second = row.reduce((most, v, j) => (j === top ? most : Math.max(most, v)), -Infinity);
    return Math.max(0, (row[top]! - second) / 2 - 4 * U * both.data[(i + 1) * width - 1]!);
  });
  return { labels, radii };
}
