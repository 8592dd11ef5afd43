import { expect, test } from 'vitest';
import { init, NdArray, scope, tensor } from 'evenkeel';
import { cropFlip, makeDataset, type Augmentation } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Flatten, Linear, Sequential } from 'evenkeel/nn';
import { reshape } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { hostBernoulli, hostRandint, key, splitKey } from 'evenkeel/random';
import { fit } from 'evenkeel/train';
import * as reference from '../reference/shift-flip.ts';
import { sample } from '../support/sample.ts';

const KEY = key(3);

/** The crops and mirror images of samples `first`, first + 1, .. */
async function cropped(
  batch: number,
  first: number,
  options = {},
): Promise<{ x: ReturnType<typeof sample>; y: Float32Array }> {
  await init();
  const x = sample([batch, 2, 6, 5]);
  const y = scope(() =>
    cropFlip(options)(tensor(Float32Array.from(x.data), { shape: x.shape }), {
      key: KEY,
      first: tensor([first, 0], { dtype: 'u32' }),
    }),
  );
  try {
    return { x, y: (await y.read()) as Float32Array };
  } finally {
    y.dispose();
  }
}

test('crops of the padded image at the places that the host twins draw', async () => {
  const { x, y } = await cropped(9, 5, { padding: 2 });
  const shift = hostRandint(9, 2, splitKey(KEY, 0), { low: -2, high: 3, first: 5 });
  const flip = hostBernoulli(9, 1, splitKey(KEY, 1), { first: 5 });
  expect(new Set(flip).size).toBe(2);
  expect(Array.from(y)).toEqual(Array.from(reference.shiftFlip(x, [...shift], [...flip]).data));
});

test('another number, another crop; the same number, the same one', async () => {
  const { y } = await cropped(6, 10, { padding: 1 });
  expect((await cropped(6, 10, { padding: 1 })).y).toEqual(y);
  expect((await cropped(6, 11, { padding: 1 })).y).not.toEqual(y);
});

test('fit draws anew in every captured step, and refuses another shape', async () => {
  const x = new NdArray(new Float32Array(8 * 16).fill(1), [8, 1, 4, 4]);
  const data = makeDataset(x, new Int32Array(8), { numClasses: 2 });
  const losses = async (augment?: Augmentation): Promise<number[]> => {
    using model = Sequential(Flatten(), Linear(16, 2)).init({ seed: 1 });
    const seen: number[] = [];
    await fit(model, data, {
      loss: crossEntropyLoss(),
      optimizer: sgd({ lr: 1e-30 }),
      epochs: 4,
      onStep: (r) => void seen.push(r.loss),
      ...(augment && { augment }),
    });
    return seen;
  };
  // The weights do not move and the images are all alike: what differs is the crop.
  expect(new Set(await losses()).size).toBe(1);
  expect(new Set(await losses(cropFlip({ padding: 2 }))).size).toBe(4);
  await expect(losses((batch) => reshape(batch, [8, 16]))).rejects.toThrow(
    'fit: augment gave shape [8,16], expected that of the batch, [8,1,4,4]',
  );
});

test('no padding and no mirror image is the image; all mirrored', async () => {
  const { x, y } = await cropped(3, 0, { padding: 0, flip: 0 });
  expect(Array.from(y)).toEqual(Array.from(x.data));
  const mirrored = await cropped(3, 0, { padding: 0, flip: 1 });
  expect(Array.from(mirrored.y)).toEqual(Array.from(reference.shiftFlip(x, [0, 0, 0, 0, 0, 0], [1, 1, 1]).data));
});

test('errors', () => {
  expect(() => cropFlip({ padding: -1 })).toThrow(
    new RangeError('cropFlip: padding is -1, expected an integer in 0..1048576'),
  );
  expect(() => cropFlip({ padding: 1.5 })).toThrow('cropFlip: padding is 1.5, expected an integer in 0..1048576');
  expect(() => cropFlip({ flip: 2 })).toThrow(new RangeError('cropFlip: flip is 2, expected a number in 0..1'));
});
