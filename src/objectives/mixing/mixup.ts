import { boolean, checkOptions, positive } from '../../check/check.ts';
import { expand } from '../../ops/binary.ts';
import { indexSelect } from '../../ops/gather.ts';
import { beta } from '../../random/gamma.ts';
import { splitKey } from '../../random/key.ts';
import { permutation } from '../../random/permutation.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { blend, type Mixing, type MixingInputs } from './mixing.ts';

/** Options of {@link mixup}. */
export interface MixupOptions {
  /** Of the share's distribution Beta(alpha, alpha), above 0. Default: 1, uniform. */
  alpha?: number;
  /** Whether each sample has a share of its own. Default: one for the batch, as the released code. */
  perSample?: boolean;
}

/**
 * mixup: x_i and a partner x_j, j a permutation of the batch, blended by a share w ~ Beta(alpha, alpha) of x_i, and the
 * labels alike. Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR 2018.
 */
export function mixup(given: MixupOptions = {}): Mixing {
  checkOptions('mixup', given, { alpha: positive, perSample: boolean });
  const { alpha = 1, perSample = false } = given;
  const mix = (inputs: MixingInputs) => {
    const { x, y } = inputs;
    const { order, weight } = drawPairs(inputs, alpha, perSample);
    return { x: blend(x, indexSelect(x, order), weight), partner: indexSelect(y, order), weight };
  };
  return Object.assign(mix, { dispose() {} });
}

/** A permutation of the batch and shares w ~ Beta(alpha, alpha), (batch). */
export function drawPairs(
  { y, random: { key, first } }: MixingInputs,
  alpha: number,
  perSample: boolean,
): { order: Tensor<'u32'>; weight: Tensor } {
  const { gpu, size } = y;
  const order = permutation(size, splitKey(key, 0), { first, gpu });
  const weight = beta([perSample ? size : 1], splitKey(key, 1), { a: alpha, b: alpha, first, gpu });
  return { order, weight: expand(weight, [size]) };
}
