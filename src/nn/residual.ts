import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { add } from '../ops/binary.ts';
import { relu } from '../ops/activations.ts';
import { sameShape } from '../tensor/shape.ts';
import { splitKey } from '../random/key.ts';
import type { ForwardContext, Layer } from './layer.ts';
import { asLayer, type Module } from './module.ts';

/** Two paths added up. */
export interface Residual extends Layer {
  readonly kind: 'Residual';
  readonly main: Layer;
  /** null: the identity. */
  readonly shortcut: Layer | null;
  readonly activation: 'none' | 'relu';
}

/** Options of {@link Residual}. */
export interface ResidualOptions {
  /** Activation of the sum. Default: 'none'. */
  activation?: 'none' | 'relu';
  /** Name of the shortcut in those of its parameters. Default: 'shortcut'. */
  shortcutName?: string;
}

/**
 * y = activation(main(x) + shortcut(x)); without a shortcut, x itself. Parameters of `main` keep their own names. He,
 * Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016.
 */
export function Residual(
  mainPath: Module,
  shortcutPath: Module | null = null,
  options: ResidualOptions = {},
): Residual {
  expectOptions('Residual', options, ['activation', 'shortcutName']);
  const { activation = 'none', shortcutName = 'shortcut' } = options;
  const main = asLayer('Residual: main', mainPath);
  const shortcut = shortcutPath && asLayer('Residual: shortcut', shortcutPath);
  const branch = ({ training, random, precision }: ForwardContext, at: number): ForwardContext => ({
    training,
    ...(precision ? { precision } : {}),
    ...(random ? { random: { ...random, key: splitKey(random.key, at) } } : {}),
  });
  return {
    kind: 'Residual',
    main,
    shortcut,
    activation,
    specs: {},
    params: {},
    children: shortcut ? { '': main, [shortcutName]: shortcut } : { '': main },
    forward: (x, context = { training: false }) => {
      const a = main.forward(x, branch(context, 0));
      const b = shortcut ? shortcut.forward(x, branch(context, 1)) : x;
      if (!sameShape(a.shape, b.shape))
        throw new ShapeError(`Residual: the main path gives shape [${a.shape}], the shortcut [${b.shape}]`);
      const y = add(a, b);
      return activation === 'relu' ? relu(y) : y;
    },
  };
}
