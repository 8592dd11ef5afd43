// Every entry, with the types that a program meets.
import { backward, init, NdArray, requireGrad, scope, tensor, type DType, type Gpu, type Tensor } from 'evenkeel';
import * as attack from 'evenkeel/attack';
import { wgsl, wgslVite } from 'evenkeel/build';
import { temperatureScaling } from 'evenkeel/calibrate';
import { Smooth } from 'evenkeel/certify';
import { makeDataset, type Dataset } from 'evenkeel/data';
import * as io from 'evenkeel/io';
import { crossEntropyLoss } from 'evenkeel/losses';
import 'evenkeel/methods';
import { calibrationError } from 'evenkeel/metrics';
import { Linear, Sequential } from 'evenkeel/nn';
import { mul, reshape, sum } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import * as random from 'evenkeel/random';
import * as stats from 'evenkeel/stats';
import { fit } from 'evenkeel/train';
import kernel from './square.wgsl';

export async function main(device: GPUDevice): Promise<number> {
  const gpu: Gpu = await init({ device });
  const data: Dataset = makeDataset(new NdArray(new Float32Array(8), [4, 2]), [0, 1, 0, 1], { numClasses: 2 });
  using model = Sequential(Linear(2, 2));
  await fit(model, data, { loss: crossEntropyLoss(), optimizer: sgd({ lr: 0.1 }), epochs: 1, seed: 0 });
  const scaled = await temperatureScaling().fit(model, data);
  const smooth = new Smooth(model, { numClasses: 2, sigma: 0.5 });
  const { radii } = await smooth.certify(data.x.slice(0, 1), { n0: 10, n: 100, alpha: 0.01 });
  const x: Tensor = requireGrad(tensor([1, 2]));
  const y = scope(() => sum(mul(reshape(x, [2, 1]), 2)));
  backward(y);
  kernel.forward({ n: 2, scale: 1 }, { x, y }, [2]);
  // @ts-expect-error: a misspelt parameter
  kernel.forward({ n: 2, scales: 1 }, { x, y }, [2]);
  // @ts-expect-error: a tensor has no method that leaves the tape, but for detach
  x.view([2]);
  const chained: Tensor<'i32'> = x.mul(2).relu().sum({ axes: 0 }).cast('i32').at(0);
  // @ts-expect-error: flags have no mean
  x.greater(0).mean();
  const dtype: DType = chained.detach().dtype;
  gpu.destroy();
  return radii[0]! + calibrationError(await scaled.predict(data.x), data.y, { numBins: 15 }) + dtype.length;
}

export const all = [attack, io, random, stats, wgsl, wgslVite];
