import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { add, mul } from '../ops/binary.ts';
import { paramOf, type Layer } from './layer.ts';

/** One factor, and one shift, for each class. */
export interface ClassScale extends Layer {
  readonly kind: 'ClassScale';
  readonly classes: number;
  readonly bias: boolean;
}

/**
 * y_c = scale_c z_c + bias_c; z: (batch, classes). `scale` (classes) starts at 1, `bias` (classes) at 0. After a
 * frozen classifier it is the learnable weight scaling (LWS) of Kang et al., ICLR 2020; with bias, LWS-plus.
 * Default: without bias.
 */
export function ClassScale(classes: number, options: { bias?: boolean } = {}): ClassScale {
  expectOptions('ClassScale', options, ['bias']);
  const { bias = false } = options;
  check('ClassScale', { classes }, { classes: integer(1) });
  const start = (value: number) => ({ shape: [classes], init: () => new Float32Array(classes).fill(value) });
  const layer: ClassScale = {
    kind: 'ClassScale',
    classes,
    bias,
    params: {},
    specs: { scale: start(1), ...(bias ? { bias: start(0) } : {}) },
    forward: (z) => {
      const scaled = mul(z, paramOf(layer, 'scale'));
      return bias ? add(scaled, paramOf(layer, 'bias')) : scaled;
    },
  };
  return layer;
}
