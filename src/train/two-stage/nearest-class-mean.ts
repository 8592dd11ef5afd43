import { any, checkOptions, oneOf } from '../../check/check.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Gpu } from '../../gpu/device.ts';
import { CosineLinear } from '../../nn/cosine-linear.ts';
import { startingFrom } from '../../nn/init.ts';
import { Sequential } from '../../nn/sequential.ts';
import { classStatistics } from '../../stats/class-statistics.ts';
import { NdArray } from '../../tensor/ndarray.ts';
import { linearHead, widthOf } from './heads.ts';

/** Options of {@link nearestClassMean}. */
export interface NearestClassMeanOptions {
  /**
   * 'cosine': logits are the cosines of features and class means. Default: 'euclidean', the negative squared distance.
   */
  metric?: 'euclidean' | 'cosine';
  gpu?: Gpu;
}

/**
 * Nearest class mean as a head. 'euclidean': 2 (m_c - o) . x - (m_c - o) . (m_c + o), which is -|x - m_c|^2 up to a
 * term that all classes share: with o = 0 it is 2 m_c . x - |m_c|^2, and where the means lie far from 0, o is their
 * mean, so that f32 loses no digits to the distance. Throws RangeError when a class has no sample: it has no mean.
 */
export function nearestClassMean(features: Dataset, options: NearestClassMeanOptions = {}): Sequential {
  checkOptions('nearestClassMean', options, { metric: oneOf('euclidean', 'cosine'), gpu: any });
  const { metric = 'euclidean', gpu } = options;
  const width = widthOf('nearestClassMean', features);
  const { classes, means, counts } = classStatistics(features.x, features.y, features.numClasses, {
    covariance: 'diagonal',
  });
  const empty = counts.indexOf(0);
  if (empty >= 0) throw new RangeError(`nearestClassMean: class ${empty} has no sample, so no mean`);
  if (metric === 'cosine')
    return Sequential({
      classifier: startingFrom(CosineLinear(width, classes), { weight: () => Float32Array.from(means) }),
    }).init({ gpu });
  const centre = centreOf(means, classes, width);
  // The bias belongs to the weights as f32 has them: it is 0 half way between a mean and the centre.
  const weight = Float32Array.from(means, (v, at) => 2 * (v - centre[at % width]!));
  const bias = new Float64Array(classes);
  weight.forEach((w, at) => (bias[Math.floor(at / width)]! -= (w * (means[at]! + centre[at % width]!)) / 2));
  return linearHead({ weight: new NdArray(weight, [classes, width]), bias }, { gpu });
}

/** The mean of the means where it is eight times as far from 0 as any of them from it, else 0. */
function centreOf(means: Float64Array, classes: number, width: number): Float64Array {
  const centre = new Float64Array(width);
  means.forEach((v, at) => (centre[at % width]! += v / classes));
  const apart = Array.from({ length: classes }, (_, c) =>
    Math.hypot(...centre.map((o, i) => means[c * width + i]! - o)),
  );
  return Math.hypot(...centre) > 8 * Math.max(...apart) ? centre : centre.fill(0);
}
