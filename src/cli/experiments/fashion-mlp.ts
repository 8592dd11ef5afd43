import { loadIdx, subset, type Dataset } from 'evenkeel/data';
import { flatten, linear, relu, sequential, type Sequential } from 'evenkeel/nn';
import type { DatasetBytes } from '../job.ts';

/** The first `train` training images, the `held` ones behind them, and the test images. */
export async function imageParts(
  bytes: DatasetBytes,
  { train, held }: { train: number; held: number },
): Promise<{ train: Dataset; held: Dataset; test: Dataset }> {
  const all = await loadIdx(bytes.trainImages, bytes.trainLabels, { name: bytes.name });
  const test = await loadIdx(bytes.testImages, bytes.testLabels, { name: bytes.name, numClasses: all.numClasses });
  const part = (start: number, count: number): Dataset =>
    subset(
      all,
      Array.from({ length: count }, (_, i) => start + i),
    );
  return { train: part(0, train), held: part(train, held), test };
}

/** 784-hidden-10 with relu, or as many inputs and outputs as `data` has. */
export function mlp({ x, numClasses }: Dataset, hidden: number): Sequential {
  const features = x.shape.slice(1).reduce((a, b) => a * b, 1);
  return sequential(flatten(), linear(features, hidden), relu(), linear(hidden, numClasses));
}
