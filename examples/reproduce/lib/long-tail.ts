import { softmaxRows } from 'evenkeel/calibrate';
import { CIFAR10_STATISTICS, cropFlip, longTail, normalizeChannels, randomSplit } from 'evenkeel/data';
import type { Dataset, Sampler } from 'evenkeel/data';
import type { Loss, Objective } from 'evenkeel/losses';
import { accuracy, balancedAccuracy, calibrationError, perClassAccuracy, shotAccuracy } from 'evenkeel/metrics';
import { CosineLinear, Flatten, Linear, ReLU, resnet32, Sequential } from 'evenkeel/nn';
import { multiStepLr, sgd, warmupLr, type Schedule } from 'evenkeel/optim';
import { epochScores, fit } from 'evenkeel/train';
import { report, type Context, type Images } from './experiment.ts';

const IMBALANCE = 0.01;
/** Of SGD, in every run. */
export const MOMENTUM = 0.9;
/** Units of the small net. */
export const HIDDEN = 64;

/** What all methods of an experiment share. */
export interface LongTailRecipe {
  epochs: number;
  batchSize: number;
  lr: number;
  weightDecay: number;
  /** Epochs of linear warm-up. */
  warmUp: number;
  /** The rate falls by `factor` at each of these shares of the epochs. */
  drops: readonly number[];
  factor: number;
  /** Share of the epochs after which deferred parts of a method set in. */
  late: number;
}

/**
 * On Fashion-MNIST, for software adapters: the rate and decay that the search of ldam-drw chose for cross-entropy on
 * held-out training images.
 */
const QUICK: LongTailRecipe = {
  epochs: 8,
  batchSize: 128,
  lr: 0.1,
  weightDecay: 2e-4,
  warmUp: 2,
  drops: [0.8],
  factor: 0.1,
  late: 0.8,
};
/** The code of LDAM, which VS, ABSGD and UniMix follow: epochs 160 and 180 of 200. */
const FULL: LongTailRecipe = {
  epochs: 200,
  batchSize: 128,
  lr: 0.1,
  weightDecay: 2e-4,
  warmUp: 5,
  drops: [0.8, 0.9],
  factor: 0.01,
  late: 0.8,
};

/** What a method may look at when it is created for a run. */
export interface LongTailSetup {
  train: Dataset;
  /** Validation images, as many of each class; of experiments that ask for some. */
  held: Dataset | null;
  /** The first epoch of the deferred parts, and the number of all. */
  late: number;
  epochs: number;
  full: boolean;
}

/** What a method adds to a recipe: a loss or an objective, and perhaps more. */
export interface LongTailPlan {
  loss?: Loss;
  objective?: Objective;
  sampler?: Sampler;
  schedule?: readonly Schedule[];
  /** Instead of the net that all methods share. */
  model?: Sequential;
  /** Factor of a cosine classifier on the shared net; none: a linear one. */
  cosineScale?: number;
  /** Instead of those of the recipe. */
  own?: Partial<Pick<LongTailRecipe, 'lr' | 'weightDecay' | 'drops'>>;
  onEpoch?(model: Sequential, epoch: number): void | Promise<void>;
}

/** A method of an experiment, created anew for each run. */
export type LongTailMethod = (setup: LongTailSetup) => LongTailPlan;

/** One trained net. Shares and errors are fractions, on the official test images after the last epoch. */
export type LongTailRun = {
  dataset: string;
  seed: number;
  method: string;
  balancedAccuracy: number;
  /**
   * The largest balanced accuracy after any epoch that was scored, and that epoch, from 1: a selection on the test set,
   * shown next to the last.
   */
  bestBalancedAccuracy: number;
  bestEpoch: number;
  accuracy: number;
  many: number;
  medium: number;
  few: number;
  /** 15 bins of equal width, of the softmax of the raw logits. */
  ece: number;
  perClass: readonly number[];
  seconds: number;
};

/** Training, validation and test images of a seed. */
export interface LongTailParts {
  train: Dataset;
  held: Dataset | null;
  test: Dataset;
}

/**
 * The first of the last epochs: where the rate falls and deferred parts set in. At least one epoch is left before and
 * after, where there are two.
 */
export function lateEpoch(epochs: number, { lateShare }: { lateShare: number }): number {
  return Math.max(1, Math.min(epochs - 1, Math.round(epochs * lateShare)));
}

/** The recipe of a protocol; `epochs` keeps the shares at which the rate falls. */
export function longTailRecipe(
  { full, epochs }: { full: boolean; epochs: number | null },
  own: { quick?: Partial<LongTailRecipe>; full?: Partial<LongTailRecipe> } = {},
): LongTailRecipe {
  const recipe = full ? { ...FULL, ...own.full } : { ...QUICK, ...own.quick };
  return { ...recipe, epochs: epochs ?? recipe.epochs };
}

/** `held` validation images of each class, and a long tail of the other training images; CIFAR-10 normalised. */
export function longTailParts({ train, test }: Images, { held, seed }: { held: number; seed: number }): LongTailParts {
  const ready = (data: Dataset): Dataset =>
    data.name === 'cifar10' ? normalizeChannels(data, CIFAR10_STATISTICS) : data;
  const all = ready(train);
  const tailed = (data: Dataset): Dataset => longTail(data, { imbType: 'exp', imbFactor: IMBALANCE, seed });
  if (held === 0) return { train: tailed(all), held: null, test: ready(test) };
  const share = (held * all.numClasses) / all.y.length;
  const parts = randomSplit(all, { train: 1 - share, held: share, seed });
  return { train: tailed(parts.train), held: parts.held, test: ready(test) };
}

/**
 * Trains a method on a long tail and tests it: ResNet-32 with crops and flips on CIFAR-10, else a layer of 64 units.
 */
export async function trainLongTailed(
  what: { seed: number; method: string },
  method: LongTailMethod,
  { train, held, test }: LongTailParts,
  full: boolean,
  recipe: LongTailRecipe,
  context: Context,
): Promise<LongTailRun> {
  const { epochs, batchSize, warmUp: warm, factor, late } = recipe;
  const plan = method({ train, held, late: lateEpoch(epochs, { lateShare: late }), epochs, full });
  const { loss, objective, sampler, schedule = [], cosineScale, onEpoch } = plan;
  const { lr, weightDecay, drops } = { ...recipe, ...plan.own };
  const model = plan.model ?? (full ? residualNet(train, cosineScale) : smallNet(train, cosineScale));
  model.init({ seed: what.seed });
  const scores = epochScores(model, test, { signal: context.signal });
  try {
    const { seconds } = await fit(model, train, {
      ...(loss ? { loss } : { objective: objective! }),
      optimizer: sgd({ lr, momentum: MOMENTUM, weightDecay }),
      schedule: [
        ...(warm > 0 ? [warmupLr({ epochs: warm })] : []),
        multiStepLr({ milestones: drops.map((lateShare) => lateEpoch(epochs, { lateShare })), gamma: factor }),
        ...schedule,
      ],
      ...(full && { augment: cropFlip() }),
      ...(sampler && { sampler }),
      onEpoch: async (moment) => {
        await onEpoch?.(model, moment.epoch);
        if ((epochs - 1 - moment.epoch) % scoredEvery(recipe, full) === 0) await scores(moment);
      },
      epochs,
      batchSize,
      seed: what.seed,
      signal: context.signal,
      onStep: report(context, `${train.name} seed ${what.seed} ${what.method}`, train.y.length, { epochs, batchSize }),
    });
    const probs = softmaxRows(await model.logits(test.x));
    const { many, medium, few } = shotAccuracy(probs, test.y, { classCounts: train.classCounts, shots: 'thirds' });
    return {
      dataset: train.name!,
      ...what,
      balancedAccuracy: balancedAccuracy(probs, test.y),
      bestBalancedAccuracy: scores.best.score,
      bestEpoch: scores.best.epoch + 1,
      accuracy: accuracy(probs, test.y),
      many: many!,
      medium: medium!,
      few: few!,
      ece: calibrationError(probs, test.y),
      perClass: perClassAccuracy(probs, test.y),
      seconds,
    };
  } finally {
    loss?.dispose();
    objective?.dispose?.();
    model.dispose();
  }
}

/**
 * Epochs from one scoring on the test images to the next: they cost a fifth of an epoch, which long runs on software
 * adapters have no time for.
 */
export function scoredEvery({ epochs }: Pick<LongTailRecipe, 'epochs'>, full: boolean): number {
  return full ? 1 : Math.max(1, Math.floor(epochs / 10));
}

/** A layer of {@link HIDDEN} units. */
function smallNet({ x, numClasses }: Dataset, scale?: number): Sequential {
  const features = x.shape.slice(1).reduce((a, b) => a * b, 1);
  return Sequential(
    Flatten(),
    Linear(features, HIDDEN),
    ReLU(),
    scale === undefined ? Linear(HIDDEN, numClasses) : CosineLinear(HIDDEN, numClasses, { scale }),
  );
}

function residualNet({ numClasses: classes }: Dataset, scale?: number): Sequential {
  return resnet32(scale === undefined ? { numClasses: classes } : { numClasses: classes, head: 'cosine', scale });
}
