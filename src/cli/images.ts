import { loadIdx, type Dataset } from 'evenkeel/data';
import type { DatasetBytes } from './job.ts';

/** Training and test images of a data set, with as many classes as the training labels have. */
export async function loadImages({ name, ...bytes }: DatasetBytes): Promise<{ train: Dataset; test: Dataset }> {
  const train = await loadIdx(bytes.trainImages, bytes.trainLabels, { name });
  const test = await loadIdx(bytes.testImages, bytes.testLabels, { name, numClasses: train.numClasses });
  return { train, test };
}
