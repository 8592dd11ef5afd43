import { expectOptions } from '../check/options.ts';
import { sub } from '../ops/binary.ts';
import { oneHot } from '../ops/one-hot.ts';
import { sum } from '../ops/reduce.ts';
import { softmax } from '../ops/softmax.ts';
import { square } from '../ops/unary.ts';
import type { Loss } from './loss.ts';
import { perSampleLoss, type PerSampleOptions } from './per-sample-loss.ts';
import { PER_SAMPLE } from './options.ts';

/**
 * Brier loss sum_k (p_k - [k = y])^2 of the softmax, in [0, 2]: a proper score that does not reward saturation. Brier,
 * 1950.
 */
export function brier(options: PerSampleOptions = {}): Loss {
  expectOptions('brier', options, [...PER_SAMPLE]);
  return perSampleLoss(
    'brier',
    (z, labels) => sum(square(sub(softmax(z), oneHot(labels, z.shape[1]!))), { axes: 1 }),
    options,
  );
}
