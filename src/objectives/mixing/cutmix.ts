import { boolean, checkOptions, positive } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { add, div, expand, mul, sub } from '../../ops/binary.ts';
import { greaterEqual, less, logicalAnd } from '../../ops/compare.ts';
import { indexSelect } from '../../ops/gather.ts';
import { reshape } from '../../ops/reshape.ts';
import { clamp, floor, sqrt } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { splitKey } from '../../random/key.ts';
import { uniform } from '../../random/random.ts';
import { unscoped } from '../../tensor/scope.ts';
import { tensor, type Tensor } from '../../tensor/tensor.ts';
import type { Mixing, MixingInputs } from './mixing.ts';
import { drawPairs, type MixupOptions } from './mixup.ts';

/**
 * CutMix: a box of partner x_j replaces that of x_i, j a permutation of the batch. Of images (batch, ..., height,
 * width) the box has sides floor(height sqrt(1 - w)) and floor(width sqrt(1 - w)), w ~ Beta(alpha, alpha), around a
 * pixel drawn uniformly, cut at the border; the share of the own label is the part of the image that is left. One box
 * for the batch, or `perSample`. Yun, Han, Oh, Chun, Choe, Yoo, "CutMix", ICCV 2019, as the released code.
 */
export function cutmix(given: MixupOptions = {}): Mixing {
  checkOptions('cutmix', given, { alpha: positive, perSample: boolean });
  const { alpha = 1, perSample = false } = given;
  const mix = (inputs: MixingInputs) => {
    const {
      x,
      y,
      random: { key, first },
    } = inputs;
    if (x.rank < 3) throw new ShapeError(`cutmix: x has shape [${x.shape}], expected (batch, ..., height, width)`);
    const { order, weight } = drawPairs(inputs, alpha, perSample);
    const side = sqrt(sub(1, perSample ? weight : indexSelect(weight, [0])));
    const [rows, columns] = ([-2, -1] as const).map((axis) => {
      const length = x.shape.at(axis)!;
      const centre = floor(uniform(side.shape, splitKey(key, 4 + axis), { high: length, first, gpu: x.gpu }));
      return interval(x, axis, centre, floor(mul(side, length)));
    }) as [Interval, Interval];
    const share = sub(1, div(mul(rows.size, columns.size), x.shape.at(-2)! * x.shape.at(-1)!));
    return {
      x: where(logicalAnd(rows.inside, columns.inside), indexSelect(x, order), x),
      partner: indexSelect(y, order),
      weight: expand(share, [y.size]),
    };
  };
  return Object.assign(mix, { dispose() {} });
}

interface Interval {
  /** Broadcasts against the images. */
  inside: Tensor<'bool'>;
  /** Pixels inside, (boxes). */
  size: Tensor;
}

/** The pixels centre - floor(width / 2) .. centre + floor(width / 2) - 1 along the axis that lie in the image. */
function interval({ shape, gpu }: Tensor, axis: -2 | -1, centre: Tensor, width: Tensor): Interval {
  const length = shape.at(axis)!;
  const half = floor(div(width, 2));
  const [from, to] = [clamp(sub(centre, half), 0, length), clamp(add(centre, half), 0, length)];
  const line = gpu.constant(`0..${length - 1}`, () =>
    unscoped(() =>
      tensor(
        Float32Array.from({ length }, (_, i) => i),
        { gpu },
      ),
    ),
  );
  const position = axis === -1 ? line : reshape(line, [length, 1]);
  const bound = (t: Tensor): Tensor => reshape(t, [t.size, ...shape.slice(1).map(() => 1)]);
  return { inside: logicalAnd(greaterEqual(position, bound(from)), less(position, bound(to))), size: sub(to, from) };
}
