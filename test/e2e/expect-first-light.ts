import { expect } from 'vitest';
import { firstLight } from './first-light.ts';

/** Runs the program on drawn digits and checks everything that it shows. */
export async function expectFirstLight({
  images,
  labels,
}: {
  images: Uint8Array<ArrayBuffer>;
  labels: Uint8Array<ArrayBuffer>;
}): Promise<void> {
  const losses: number[] = [];
  const logged = new Map<string, number>();
  const result = await firstLight(images.buffer, labels.buffer, {
    chart: { add: (step, loss) => void (losses[step - 1] = loss) },
    log: (name, value) => void logged.set(name, value),
  });
  // 1,200 images, ten classes, factor 0.01: 120 71 43 25 15 9 5 3 2 1 are 294, of which 80% and at least one a class
  // train.
  const perEpoch = Math.ceil(losses.length / 5);
  expect(losses.length).toBe(5 * perEpoch);
  expect(losses.every(Number.isFinite)).toBe(true);
  expect(logged.get('ECE')).toBeGreaterThanOrEqual(0);
  expect(logged.get('ECE')).toBeLessThanOrEqual(1);
  expect(Number.isInteger(result.label) && result.label >= -1 && result.label < 10).toBe(true);
  // n = 1000 samples at alpha = 0.001 cannot certify more than 2.4633 sigma.
  expect(result.radius).toBeGreaterThanOrEqual(0);
  expect(result.radius).toBeLessThanOrEqual(0.25 * 2.463263);
}
