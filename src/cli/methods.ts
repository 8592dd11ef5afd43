import { softmaxRows, type LogitModel } from 'evenkeel/calibrate';
import { loadIdx, longTail, split, type Dataset } from 'evenkeel/data';
import { crossEntropy, ldam, type Loss } from 'evenkeel/losses';
import { cosineLinear, flatten, linear, relu, sequential, type Sequential } from 'evenkeel/nn';
import { drw, multiStep, sgd, warmUp, type Optimizer, type Schedule } from 'evenkeel/optim';
import type { DatasetBytes } from './job.ts';
import type { Method, Tuning } from './tuning.ts';

/** Names as the papers print them. */
export const METHOD_TITLES: Readonly<Record<Method, string>> = { ce: 'CE', 'ldam-drw': 'LDAM-DRW' };

/** Of the effective number of samples, for the class weights of DRW. */
export const BETA = 0.9999;

/** What the methods share, and what each has of its own. */
export interface Recipe {
  /** Outputs of the linear layers before the classifier. */
  widths: readonly number[];
  epochs: number;
  batchSize: number;
  momentum: number;
  tuning: Readonly<Record<Method, Tuning>>;
}

/** What a method trains with. */
export interface Assembly {
  model: Sequential;
  loss: Loss;
  optimizer: Optimizer;
  schedule: Schedule[];
}

/**
 * The first of the last epochs: where the rate falls and DRW sets in. At least one epoch is left before and after,
 * where there are two.
 */
export function lateEpoch(epochs: number, { lateShare }: Pick<Tuning, 'lateShare'>): number {
  return Math.max(1, Math.min(epochs - 1, Math.round(epochs * lateShare)));
}

/**
 * Model, loss, optimiser and schedules of a method for a training set. LDAM-DRW differs from CE by what its authors
 * change (normalised last layer, margins, deferred re-weighting) and by its tuning. The factor s of its cosines is in
 * the head, so that softmax of the outputs are the probabilities that were trained.
 */
export function assemble(method: Method, train: Dataset, recipe: Recipe, seed: number): Assembly {
  const tuning = recipe.tuning[method];
  const { lr, weightDecay, s, maxM } = tuning;
  const late = lateEpoch(recipe.epochs, tuning);
  const ours = method === 'ldam-drw';
  return {
    model: network(recipe.widths, train, tuning).init({ seed }),
    loss: ours ? ldam({ clsNumList: train.classCounts, maxM, s, scaleIn: 'head' }) : crossEntropy(),
    optimizer: sgd({ lr, momentum: recipe.momentum, weightDecay }),
    schedule: [
      warmUp({ epochs: 2 }),
      multiStep({ milestones: [late], gamma: 0.1 }),
      ...(ours ? [drw({ from: late, beta: BETA })] : []),
    ],
  };
}

/** Class probabilities of a classifier. */
export async function probabilities(classifier: LogitModel, { x }: Dataset): Promise<ReturnType<typeof softmaxRows>> {
  return softmaxRows(await classifier.logits(x));
}

/** Linear layers with relu between them, and the classifier: of cosines times s where there is an s. */
function network(widths: readonly number[], { x, numClasses }: Dataset, { lastRelu, s }: Tuning): Sequential {
  let features = x.shape.slice(1).reduce((a, b) => a * b, 1);
  const layers = widths.flatMap((width, i) => {
    const layer = linear(features, width);
    features = width;
    return i < widths.length - 1 || lastRelu ? [layer, relu()] : [layer];
  });
  return sequential(
    flatten(),
    ...layers,
    s === undefined ? linear(features, numClasses) : cosineLinear(features, numClasses, { scale: s }),
  );
}

/** A long-tailed training set, a part of it held out for calibration, and the official test set as it is. */
export interface Parts {
  train: Dataset;
  calib: Dataset | null;
  test: Dataset;
  /** Images of each class before the calibration part was taken. */
  classCounts: number[];
}

/** Builds {@link Parts}: imbalance by `imbFactor`, `calibShare` of it (0: none) for calibration. */
export async function longTailedParts(
  bytes: DatasetBytes,
  { imbFactor, calibShare, seed }: { imbFactor: number; calibShare: number; seed: number },
): Promise<Parts> {
  const full = await loadIdx(bytes.trainImages, bytes.trainLabels, { name: bytes.name });
  const test = await loadIdx(bytes.testImages, bytes.testLabels, { name: bytes.name, numClasses: full.numClasses });
  const tailed = longTail(full, { imbType: 'exp', imbFactor, seed });
  if (calibShare === 0) return { train: tailed, calib: null, test, classCounts: tailed.classCounts };
  const { train, calib } = split(tailed, { train: 1 - calibShare, calib: calibShare, seed });
  return { train, calib, test, classCounts: tailed.classCounts };
}
