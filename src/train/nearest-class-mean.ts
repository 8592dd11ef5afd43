import { expectOptions } from '../check/options.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Gpu } from '../gpu/device.ts';
import { cosineLinear } from '../nn/cosine-linear.ts';
import { startingFrom } from '../nn/init.ts';
import { sequential, type Sequential } from '../nn/sequential.ts';
import { classStatistics } from '../stats/class-statistics.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { linearHead, widthOf } from './heads.ts';

/** Options of {@link nearestClassMean}. */
export interface NearestClassMeanOptions {
  /** 'cosine': logits are the cosines of features and class means. Default: 'euclidean', the negative squared distance. */
  metric?: 'euclidean' | 'cosine';
  gpu?: Gpu;
}

/**
 * Nearest class mean as a head. 'euclidean': 2 m_c . x - |m_c|^2, which is -|x - m_c|^2 up to a term that all classes share.
 * Throws RangeError when a class has no sample: it has no mean.
 */
export function nearestClassMean(features: Dataset, options: NearestClassMeanOptions = {}): Sequential {
  expectOptions('nearestClassMean', options, ['metric', 'gpu']);
  const { metric = 'euclidean', gpu } = options;
  if (metric !== 'euclidean' && metric !== 'cosine') throw new RangeError(`nearestClassMean: metric is ${String(metric)}, expected 'euclidean' or 'cosine'`);
  const width = widthOf('nearestClassMean', features);
  const { classes, means, counts } = classStatistics(features.x, features.y, features.numClasses, { covariance: 'diagonal' });
  const empty = counts.indexOf(0);
  if (empty >= 0) throw new RangeError(`nearestClassMean: class ${empty} has no sample, so no mean`);
  if (metric === 'cosine') return sequential({ classifier: startingFrom(cosineLinear(width, classes), { weight: () => Float32Array.from(means) }) }).init({ gpu });
  const bias = Float64Array.from({ length: classes }, (_, c) => -means.subarray(c * width, (c + 1) * width).reduce((sum, v) => sum + v * v, 0));
  return linearHead({ weight: new NdArray(means.map((v) => 2 * v), [classes, width]), bias }, { gpu });
}
