import { check, checkOptions, integer, positive } from '../check/check.ts';
import { mul } from '../ops/binary.ts';
import { matmul } from '../ops/matmul.ts';
import { normalize } from '../ops/normalize.ts';
import { hostUniform } from '../random/random.ts';
import { paramOf, type Layer } from './layer.ts';

/** A classifier of cosines. */
export interface CosineLinear extends Layer {
  readonly kind: 'CosineLinear';
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly scale: number;
}

/**
 * y_c = scale * cosine of x and weight_c; x: (batch, inFeatures), `weight` (outFeatures, inFeatures), no bias. The
 * NormedLinear head of the LDAM code (there stored transposed): rows start uniform in +-1, scaled to unit length.
 * Default scale: 1, as there. With the factor s of LDAM as the scale of the head, softmax of the outputs gives the
 * probabilities that were trained; use `ldam({ scale, scaleIn: 'head' })` with it.
 */
export function CosineLinear(inFeatures: number, outFeatures: number, options: { scale?: number } = {}): CosineLinear {
  checkOptions('CosineLinear', options, { scale: positive });
  const { scale = 1 } = options;
  check('CosineLinear', { inFeatures, outFeatures }, { inFeatures: integer(1), outFeatures: integer(1) });
  const layer: CosineLinear = {
    kind: 'CosineLinear',
    inFeatures,
    outFeatures,
    scale,
    params: {},
    specs: {
      weight: {
        shape: [outFeatures, inFeatures],
        init: (key) => {
          const w = hostUniform(outFeatures, inFeatures, key, { low: -1, high: 1 });
          for (let row = 0; row < outFeatures; row++) {
            const values = w.subarray(row * inFeatures, (row + 1) * inFeatures);
            const length = Math.hypot(...values);
            values.forEach((v, i) => (values[i] = v / length));
          }
          return w;
        },
      },
    },
    forward: (x, { precision } = { training: false }) => {
      const cosine = matmul(normalize(x), normalize(paramOf(layer, 'weight')), { transposeB: true, precision });
      return scale === 1 ? cosine : mul(cosine, scale);
    },
  };
  return layer;
}
