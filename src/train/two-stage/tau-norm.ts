import { atLeast, checkOptions } from '../../check/check.ts';
import type { SplitModel } from '../../nn/backbone.ts';
import type { Sequential } from '../../nn/sequential.ts';
import { NdArray } from '../../tensor/ndarray.ts';
import { linearHead } from './heads.ts';

/** Options of {@link tauNorm}. */
export interface TauNormOptions {
  /** 0 leaves the weights as they are, 1 gives them unit length. Default: 1. The paper chooses it on held-out data. */
  tau?: number;
}

/**
 * tau-normalised classifier: weights w_c / |w_c|^tau, without bias. Nothing is trained. Kang et al., ICLR 2020; the
 * bias is dropped there too. A class whose weights are all zero keeps them. Throws TypeError for a cosine classifier,
 * which has unit weights, and RangeError for a tau that is negative, or so large that the weights of a class leave the
 * range of f32.
 */
export async function tauNorm(classifier: SplitModel['classifier'], options: TauNormOptions = {}): Promise<Sequential> {
  checkOptions('tauNorm', options, { tau: atLeast(0) });
  const { tau = 1 } = options;
  if (classifier.kind !== 'Linear')
    throw new TypeError(
      `tauNorm: the classifier is ${classifier.kind}, whose weights have unit length, expected Linear`,
    );
  const { inFeatures, outFeatures, params } = classifier;
  const weight = await params.weight!.read();
  for (let c = 0; c < outFeatures; c++) {
    const row = weight.subarray(c * inFeatures, (c + 1) * inFeatures);
    const length = Math.hypot(...row);
    if (length === 0 || tau === 0) continue;
    const largest = Math.max(...row.map(Math.abs)) / length ** tau;
    if (!(largest >= 2 ** -126 && largest <= 3.4e38))
      throw new RangeError(
        `tauNorm: tau is ${tau}, which takes the weights of class ${c}, of length ${length}, to ${largest}, ` +
          'out of the range of f32; expected a smaller one',
      );
    row.forEach((v, i) => (row[i] = v / length ** tau));
  }
  return linearHead({ weight: new NdArray(weight, [outFeatures, inFeatures]) }, { gpu: params.weight!.gpu });
}
