import { softmaxRows, type LogitModel } from 'evenkeel/calibrate';
import { loadIdx, longTail, split, type Dataset } from 'evenkeel/data';
import { crossEntropy, ldam, type Loss } from 'evenkeel/losses';
import { cosineLinear, flatten, linear, relu, sequential, type Sequential } from 'evenkeel/nn';
import { drw, multiStep, sgd, warmUp, type Optimizer, type Schedule } from 'evenkeel/optim';
import type { DatasetBytes } from './job.ts';

/** Training methods the command line knows. */
export const METHODS = ['ce', 'ldam-drw'] as const;
/** One of {@link METHODS}. */
export type Method = (typeof METHODS)[number];

/** Names as the papers print them. */
export const METHOD_TITLES: Readonly<Record<Method, string>> = { ce: 'CE', 'ldam-drw': 'LDAM-DRW' };

/** Options of LDAM and DRW. The scale is the paper's; its code has 30, with which a network without batch norm trains badly. */
export const LDAM = { s: 10, maxM: 0.5, beta: 0.9999 } as const;

/** Everything two methods share, so that only the method differs between them. */
export interface Recipe {
  /** Outputs of the linear layers before the classifier. */
  widths: readonly number[];
  epochs: number;
  batchSize: number;
  lr: number;
  momentum: number;
  weightDecay: number;
  /** The rate falls to a tenth, and DRW sets in, from this share of the epochs on. */
  lateShare: number;
}

/** What a method trains with. */
export interface Assembly {
  model: Sequential;
  /** The model as a source of logits whose softmax is meant as probabilities. */
  classifier: LogitModel;
  loss: Loss;
  optimizer: Optimizer;
  schedule: Schedule[];
}

/** The first of the last epochs: where the rate falls and DRW sets in. At least one epoch is left before and after, where there are two. */
export function lateEpoch({ epochs, lateShare }: Pick<Recipe, 'epochs' | 'lateShare'>): number {
  return Math.max(1, Math.min(epochs - 1, Math.round(epochs * lateShare)));
}

/**
 * Model, loss, optimiser and schedules of a method for a training set. LDAM-DRW differs from CE by what its authors
 * change: normalised last layer, margins, deferred re-weighting.
 */
export function assemble(method: Method, train: Dataset, recipe: Recipe, seed: number): Assembly {
  const late = lateEpoch(recipe);
  const ours = method === 'ldam-drw';
  const model = network(recipe.widths, train, ours).init({ seed });
  return {
    model,
    classifier: ours ? scaled(model, LDAM.s) : model,
    loss: ours ? ldam({ clsNumList: train.classCounts, maxM: LDAM.maxM, s: LDAM.s }) : crossEntropy(),
    optimizer: sgd({ lr: recipe.lr, momentum: recipe.momentum, weightDecay: recipe.weightDecay }),
    schedule: [warmUp({ epochs: 2 }), multiStep({ milestones: [late], gamma: 0.1 }), ...(ours ? [drw({ from: late, beta: LDAM.beta })] : [])],
  };
}

/** Class probabilities of a classifier. */
export async function probabilities(classifier: LogitModel, { x }: Dataset): Promise<ReturnType<typeof softmaxRows>> {
  return softmaxRows(await classifier.logits(x));
}

/** LDAM multiplies the cosines within the loss; their plain softmax would be almost flat. */
function scaled(model: Sequential, factor: number): LogitModel {
  return {
    async logits(x, options) {
      const logits = await model.logits(x, options);
      for (let i = 0; i < logits.data.length; i++) logits.data[i]! *= factor;
      return logits;
    },
  };
}

/** Linear layers with relu between them. The last one has none, so that the cosines of LDAM span -1 to 1. */
function network(widths: readonly number[], { x, numClasses }: Dataset, cosine: boolean): Sequential {
  let features = x.shape.slice(1).reduce((a, b) => a * b, 1);
  const layers = widths.flatMap((width, i) => {
    const layer = linear(features, width);
    features = width;
    return i < widths.length - 1 ? [layer, relu()] : [layer];
  });
  return sequential(flatten(), ...layers, cosine ? cosineLinear(features, numClasses) : linear(features, numClasses));
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
export async function longTailedParts(bytes: DatasetBytes, { imbFactor, calibShare, seed }: { imbFactor: number; calibShare: number; seed: number }): Promise<Parts> {
  const full = await loadIdx(bytes.trainImages, bytes.trainLabels, { name: bytes.name });
  const test = await loadIdx(bytes.testImages, bytes.testLabels, { name: bytes.name, numClasses: full.numClasses });
  const tailed = longTail(full, { imbType: 'exp', imbFactor, seed });
  if (calibShare === 0) return { train: tailed, calib: null, test, classCounts: tailed.classCounts };
  const { train, calib } = split(tailed, { train: 1 - calibShare, calib: calibShare, seed });
  return { train, calib, test, classCounts: tailed.classCounts };
}
