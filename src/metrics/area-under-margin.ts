import { between, check, integer } from '../check/check.ts';
import { quantile } from './bootstrap.ts';
import { expectIndex } from './forgetting.ts';
import { toLabels, toRows, type HostLabels, type Matrix } from './matrix.ts';

/** Mean margins of the samples of a set over training; see {@link areaUnderMargin}. */
export interface AreaUnderMargin {
  /**
   * Takes logits (rows, classes), two classes at least, of samples as they are met, with the labels trained on;
   * `index`: the samples, which may repeat; default: all, in order. Throws RangeError on what does not fit, before
   * anything is counted.
   */
  update(logits: Matrix, labels: HostLabels, index?: ArrayLike<number>): void;
  /** The area under the margin of each sample; NaN for one that was never met. */
  values(): Float64Array<ArrayBuffer>;
  /**
   * The `percentile` (default 99, interpolated as NumPy does) of the areas of threshold samples: samples given to a
   * class of their own that is always wrong.
   */
  threshold(samples: ArrayLike<number>, percentile?: number): number;
  /** Samples whose area is at most `threshold`, but for `except`, the threshold samples: likely mislabelled. */
  suspects(threshold: number, except?: ArrayLike<number>): number[];
}

/**
 * Area under the margin of `n` samples (Pleiss et al., "Identifying mislabeled data using the area under the margin
 * ranking", NeurIPS 2020): the mean over training of z_y - max_{c != y} z_c. It is low, often negative, for wrong
 * labels. The paper takes the logits of each batch before its step, up to the first fall of the rate; n / (classes + 1)
 * threshold samples get the label `classes` in a net with one more output.
 */
export function areaUnderMargin(n: number): AreaUnderMargin {
  check('areaUnderMargin', { n }, { n: integer(1) });
  const sums = new Float64Array(n);
  const seen = new Int32Array(n);
  const area = (i: number): number => sums[i]! / seen[i]!;
  return {
    update: (logits, labels, index) => {
      const { data, rows, classes } = toRows(logits, 'areaUnderMargin: logits');
      if (classes < 2) throw new RangeError(`areaUnderMargin: logits have ${classes} class, expected at least 2`);
      const own = toLabels(labels, rows, classes, 'areaUnderMargin: labels');
      expectIndex('areaUnderMargin', n, rows, index);
      const margins = Float64Array.from({ length: rows }, (_, r) => {
        let other = -Infinity;
        for (let c = 0; c < classes; c++) if (c !== own[r]) other = Math.max(other, data[r * classes + c]!);
        const margin = data[r * classes + own[r]!]! - other;
        if (!Number.isFinite(margin))
          throw new RangeError(
            `areaUnderMargin: logits give row ${r} the margin ${margin}, expected a finite number: infinite ` +
              'logits have no mean',
          );
        return margin;
      });
      for (let r = 0; r < rows; r++) {
        const i = index ? index[r]! : r;
        sums[i]! += margins[r]!;
        seen[i]!++;
      }
    },
    values: () => sums.map((_, i) => area(i)),
    threshold: (samples, percentile = 99) => {
      check('areaUnderMargin', { percentile }, { percentile: between(0, 100) });
      if (samples.length === 0)
        throw new RangeError('areaUnderMargin: there are no threshold samples, expected at least one');
      expectIndex('areaUnderMargin', n, samples.length, samples);
      const areas = Float64Array.from(samples, area).sort();
      const missing = Array.from(samples).find((i) => seen[i] === 0);
      if (missing !== undefined)
        throw new RangeError(`areaUnderMargin: threshold sample ${missing} was never met, expected logits of it first`);
      return quantile(areas, percentile / 100);
    },
    suspects: (threshold, except = []) => {
      if (Number.isNaN(threshold)) throw new RangeError('areaUnderMargin: threshold is NaN, expected a number');
      const left = new Set(Array.from(except));
      return Array.from(sums.keys()).filter((i) => !left.has(i) && area(i) <= threshold);
    },
  };
}
