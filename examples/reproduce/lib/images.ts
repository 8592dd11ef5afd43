import { tensor, type Tensor } from 'evenkeel';
import { subset, type Dataset } from 'evenkeel/data';
import type { ObjectiveInputs } from 'evenkeel/losses';
import { add, gather, mul, pad, reshape } from 'evenkeel/ops';
import { randint, splitKey } from 'evenkeel/random';

/** `count` samples from number `start` on. Throws a RangeError when there are not as many. */
export function take(data: Dataset, count: number, start = 0): Dataset {
  return subset(
    data,
    Array.from({ length: count }, (_, i) => start + i),
  );
}

/** Each image (batch, 1, height, width) moved by -1, 0 or 1 pixels both ways, with `black` where nothing comes in. */
export function shifted(x: Tensor, { key, first }: ObjectiveInputs['random'], black: number): Tensor {
  const [batch, , height, width] = x.shape as [number, number, number, number];
  const wide = width + 2;
  const places = Int32Array.from({ length: height * width }, (_, i) => Math.floor(i / width) * wide + (i % width));
  const draw = (at: number): Tensor<'i32'> =>
    randint([batch, 1], splitKey(key, at), { high: 3, gpu: x.gpu, ...(first && { first }) });
  const index = add(add(mul(draw(0), wide), draw(1)), tensor(places, { dtype: 'i32', gpu: x.gpu }));
  const padded = reshape(pad(x, [1, 1, 1, 1], { value: black }), [batch, -1]);
  return reshape(gather(padded, index, { axis: 1 }), x.shape);
}
