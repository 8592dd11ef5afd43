// A kernel of one's own, and training, which frees what it makes by `using`.
import { empty, init, NdArray, tensor } from 'evenkeel';
import { makeDataset } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import kernel from './square.wgsl';

export async function run() {
  const gpu = await init();
  const x = tensor([1, 2, 3]);
  const y = empty(x.shape);
  kernel.forward({ n: 3, scale: 2 }, { x, y }, [3]);
  const squares = Array.from(await y.read());
  y.dispose();
  x.dispose();

  const values = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i) + (i % 2));
  const data = makeDataset(
    new NdArray(values, [32, 2]),
    Int32Array.from({ length: 32 }, (_, i) => i % 2),
    { numClasses: 2 },
  );
  const losses = [];
  const loss = crossEntropyLoss();
  const train = async () => {
    using model = Sequential(Linear(2, 2));
    await fit(model, data, {
      loss,
      optimizer: sgd({ lr: 0.1 }),
      epochs: 2,
      batchSize: 16,
      seed: 0,
      onStep: (step) => losses.push(step.loss),
    });
  };
  await train();
  // The first training makes constants that device and loss keep.
  const before = gpu.memory().live;
  await train();
  const result = {
    squares,
    steps: losses.length,
    isFinite: losses.every(Number.isFinite),
    leaked: gpu.memory().live - before,
    hasDispose: 'dispose' in Symbol,
    hasUndefined: 'undefined' in Object(x),
  };
  gpu.destroy();
  return result;
}
