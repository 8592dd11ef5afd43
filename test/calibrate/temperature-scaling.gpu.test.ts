import { expect, test } from 'vitest';
import { temperatureScaling } from 'evenkeel/calibrate';
import { crossEntropyLoss } from 'evenkeel/losses';
import { accuracy, calibrationError, nll } from 'evenkeel/metrics';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { adam } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';

test('an over-confident model is cooled down: lower NLL and ECE, the same classes', async () => {
  using model = Sequential(Linear(16, 128), ReLU(), Linear(128, 10));
  const loss = crossEntropyLoss();
  // Overlapping clusters, few samples, many epochs: the model learns its training set by heart.
  await fit(model, clusters({ n: 300, spread: 2, seed: 1 }), { loss, optimizer: adam({ lr: 0.01 }), epochs: 60 });
  const [calib, held] = [clusters({ n: 1000, spread: 2, seed: 2 }), clusters({ n: 2000, spread: 2, seed: 3 })];
  const before = await model.predict(held.x);
  const scaled = await temperatureScaling().fit(model, calib);
  const { temperature, converged, nllBefore, nllAfter } = scaled.calibrator;
  const after = await scaled.predict(held.x);
  expect(temperature).toBeGreaterThan(1.2);
  expect(converged).toBe(true);
  expect(nllAfter).toBeLessThan(nllBefore);
  expect(nll(after, held.y)).toBeLessThan(nll(before, held.y));
  expect(calibrationError(after, held.y)).toBeLessThan(calibrationError(before, held.y) / 2);
  expect(accuracy(after, held.y)).toBe(accuracy(before, held.y));
  await expect(temperatureScaling().fit(model, { ...calib, y: new Int32Array(0) })).rejects.toThrow(
    'temperatureScaling: the calibration set is empty, expected at least one sample',
  );
  loss.dispose();
});
