import { softmaxRows, type LogitModel } from 'evenkeel/calibrate';
import { longTail, randomSplit, type Dataset } from 'evenkeel/data';
import { crossEntropyLoss, ldam, type Loss } from 'evenkeel/losses';
import type { Sequential } from 'evenkeel/nn';
import { drw, multiStepLr, sgd, warmupLr, type Optimizer, type Schedule } from 'evenkeel/optim';
import { BETA, network, type Method, type Tuning } from '../../examples/reproduce/ldam-drw.ts';
import { lateEpoch } from '../../examples/reproduce/lib/long-tail.ts';
import { loadImages } from './images.ts';
import type { DatasetBytes } from './job.ts';

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
 * Model, loss, optimiser and schedules of a method for a training set. LDAM-DRW differs from CE by what its authors
 * change (normalised last layer, margins, deferred re-weighting) and by its tuning. The factor s of its cosines is in
 * the head, so that softmax of the outputs are the probabilities that were trained.
 */
export function assemble(method: Method, train: Dataset, recipe: Recipe, seed: number): Assembly {
  const tuning = recipe.tuning[method];
  const { lr, weightDecay, s, maxM } = tuning;
  const late = lateEpoch(recipe.epochs, tuning);
  const ours = method === 'ldam-drw';
  const features = train.x.shape.slice(1).reduce((a, b) => a * b, 1);
  return {
    model: network([features, ...recipe.widths], train.numClasses, tuning).init({ seed }),
    loss: ours ? ldam({ classCounts: train.classCounts, maxM, scale: s, scaleIn: 'head' }) : crossEntropyLoss(),
    optimizer: sgd({ lr, momentum: recipe.momentum, weightDecay }),
    schedule: [
      warmupLr({ epochs: 2 }),
      multiStepLr({ milestones: [late], gamma: 0.1 }),
      ...(ours ? [drw({ from: late, beta: BETA })] : []),
    ],
  };
}

/** Class probabilities of a classifier. */
export async function probabilities(classifier: LogitModel, { x }: Dataset): Promise<ReturnType<typeof softmaxRows>> {
  return softmaxRows(await classifier.logits(x));
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
  const { train: full, test } = await loadImages(bytes);
  const tailed = longTail(full, { imbType: 'exp', imbFactor, seed });
  if (calibShare === 0) return { train: tailed, calib: null, test, classCounts: tailed.classCounts };
  const { train, calib } = randomSplit(tailed, { train: 1 - calibShare, calib: calibShare, seed });
  return { train, calib, test, classCounts: tailed.classCounts };
}
