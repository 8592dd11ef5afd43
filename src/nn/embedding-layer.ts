import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { embedding } from '../ops/embedding.ts';
import { hostNormal } from '../random/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { paramOf, type Layer } from './layer.ts';

/** A table of vectors looked up by index. */
export interface Embedding extends Layer {
  readonly kind: 'Embedding';
  readonly count: number;
  readonly features: number;
  readonly paddingIdx: number | null;
}

/**
 * Rows of `weight` (count, features) by the integers of x, an i32 tensor (...): (..., features). Starts standard
 * normal; the row `paddingIdx` starts at zero and is not trained. PyTorch's Embedding.
 */
export function Embedding(count: number, features: number, options: { paddingIdx?: number } = {}): Embedding {
  expectOptions('Embedding', options, ['paddingIdx']);
  const { paddingIdx } = options;
  check('Embedding', { count, features }, { count: integer(1), features: integer(1) });
  const layer: Embedding = {
    kind: 'Embedding',
    count,
    features,
    paddingIdx: paddingIdx ?? null,
    params: {},
    specs: {
      weight: {
        shape: [count, features],
        init: (key) => {
          const rows = hostNormal(count, features, key);
          return paddingIdx === undefined ? rows : rows.fill(0, paddingIdx * features, (paddingIdx + 1) * features);
        },
      },
    },
    forward: (x) =>
      embedding(
        paramOf(layer, 'weight'),
        x as unknown as Tensor<'i32'>,
        paddingIdx === undefined ? {} : { paddingIdx },
      ),
  };
  return layer;
}
