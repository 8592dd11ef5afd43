import type { Key } from '../random/key.ts';
import { hostNormal, hostUniform } from '../random/random.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Layer, ParameterSpec } from './layer.ts';

type Start = (spec: ParameterSpec, key: Key) => Float32Array<ArrayBuffer>;

/**
 * Normal starting values of standard deviation sqrt(2 / fan), the gain of relu: PyTorch's kaiming_normal_. The fan of a
 * weight (out, in, ...) is in * ... for 'fanIn' (default), out * ... for 'fanOut'. He, Zhang, Ren, Sun, ICCV 2015.
 */
export function kaimingNormal(mode: 'fanIn' | 'fanOut' = 'fanIn'): Start {
  return ({ shape }, key) => {
    const fan = shape[mode === 'fanIn' ? 1 : 0]! * sizeOf(shape.slice(2));
    return hostNormal(shape[0]!, sizeOf(shape.slice(1)), key, { std: Math.sqrt(2 / fan) });
  };
}

/**
 * A weight of `shape`, a row an output, and with `bias` a number for each, uniform in +-1 / sqrt(inputs of a row):
 * PyTorch's default.
 */
export function uniformSpecs(shape: readonly [number, ...number[]], bias: boolean): Layer['specs'] {
  const inputs = sizeOf(shape.slice(1));
  const bound = 1 / Math.sqrt(inputs);
  const start = (rows: number, width: number) => (key: Key) =>
    hostUniform(rows, width, key, { low: -bound, high: bound });
  return {
    weight: { shape, init: start(shape[0], inputs) },
    ...(bias && { bias: { shape: [shape[0]], init: start(1, shape[0]) } }),
  };
}

/** Starting values that are all `value`. */
export function constant(value: number): Start {
  return ({ shape }) => new Float32Array(sizeOf(shape)).fill(value);
}

/** The layer with other starting values for the parameters named. */
export function startingFrom<L extends Layer>(layer: L, starts: Readonly<Record<string, Start>>): L {
  const specs = Object.entries(layer.specs).map(([name, spec]): [string, ParameterSpec] => {
    const start = starts[name];
    return [name, start ? { ...spec, init: (key) => start(spec, key) } : spec];
  });
  return Object.assign(layer, { specs: Object.fromEntries(specs) });
}
