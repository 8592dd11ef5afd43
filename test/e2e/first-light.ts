import { init } from 'evenkeel';
import { loadIdx, longTail, randomSplit } from 'evenkeel/data';
import { Sequential, Conv2d, Linear, ReLU, Flatten } from 'evenkeel/nn';
import { ldam } from 'evenkeel/losses';
import { sgd, drw } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { temperatureScaling } from 'evenkeel/calibrate';
import { calibrationError } from 'evenkeel/metrics';
import { Smooth } from 'evenkeel/certify';

/** What the program hands to its page: a chart and a console. */
export interface Page {
  chart: { add(step: number, loss: number): void };
  log(name: string, value: number): void;
}

/**
 * The acceptance test of the public face: the program of the architecture page, word for word but for the learning rate
 * (logits without a cosine head start far larger) and the sizes that a software adapter can afford.
 */
export async function firstLight(
  images: ArrayBuffer,
  labels: ArrayBuffer,
  { chart, log }: Page,
): Promise<{ label: number; radius: number }> {
  const gpu = await init(); // NoWebGPUError says why and what to do
  const data = longTail(await loadIdx(images, labels), { imbType: 'exp', imbFactor: 0.01, seed: 0 });
  const { train, calib, test } = randomSplit(data, { train: 0.8, calib: 0.1, test: 0.1, seed: 0 });
  const model = Sequential(Conv2d(1, 16, 3), ReLU(), Flatten(), Linear(16 * 26 * 26, 10));
  await fit(model, train, {
    loss: ldam({ classCounts: train.classCounts, maxM: 0.5, scale: 30 }),
    schedule: drw({ from: 4 }),
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    epochs: 5,
    inputNoise: 0.25,
    seed: 0,
    onStep: ({ step, loss }) => chart.add(step, loss),
  });
  const scaled = await temperatureScaling().fit(model, calib);
  log('ECE', calibrationError(await scaled.predict(test.x), test.y, { numBins: 15 }));
  const certificates = await new Smooth(model, { numClasses: 10, sigma: 0.25 }).certify(test.x.slice(0, 1), {
    n0: 100,
    n: 1000,
    alpha: 1e-3,
  });
  gpu.destroy();
  return { label: certificates.labels[0]!, radius: certificates.radii[0]! };
}
