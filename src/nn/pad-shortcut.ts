import { check, integer } from '../check/check.ts';
import { indexSelect } from '../ops/gather.ts';
import { slice } from '../ops/slice.ts';
import { unscoped } from '../tensor/scope.ts';
import { tensor } from '../tensor/tensor.ts';
import { type Layer } from './layer.ts';

/** The shortcut of a residual block without parameters. */
export interface PadShortcut extends Layer {
  readonly kind: 'PadShortcut';
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: number;
}

/**
 * Every stride-th row and column of x: (batch, inChannels, height, width), with zero channels on both sides, the
 * smaller half first, to outChannels: option A of He et al., CVPR 2016, as in the CIFAR networks of the LDAM code.
 */
export function PadShortcut(inChannels: number, outChannels: number, stride = 1): PadShortcut {
  check(
    'PadShortcut',
    { inChannels, outChannels, stride },
    { inChannels: integer(1), outChannels: integer(1), stride: integer(1) },
  );
  if (outChannels < inChannels)
    throw new RangeError(
      `PadShortcut: outChannels is ${outChannels}, expected at least the ${inChannels} of the input`,
    );
  const before = Math.floor((outChannels - inChannels) / 2);
  // Channel -1 stands for zeros: an index outside the axis.
  const order = Int32Array.from({ length: outChannels }, (_, c) =>
    c >= before && c < before + inChannels ? c - before : -1,
  );
  return {
    kind: 'PadShortcut',
    inChannels,
    outChannels,
    stride,
    specs: {},
    params: {},
    forward: (x) => {
      const { gpu } = x;
      const picked = stride === 1 ? x : slice(x, { axes: [2, 3], step: [stride, stride] });
      const index = gpu.constant(`padShortcut ${inChannels} ${outChannels}`, () =>
        unscoped(() => tensor(order, { dtype: 'i32', gpu })),
      );
      return outChannels === inChannels ? picked : indexSelect(picked, index, { axis: 1 });
    },
  };
}
