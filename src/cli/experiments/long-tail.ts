import { softmaxRows } from 'evenkeel/calibrate';
import {
  CIFAR10_STATISTICS,
  cropFlip,
  loadIdx,
  longTail,
  normalizeChannels,
  split,
  type Dataset,
  type Sampler,
} from 'evenkeel/data';
import type { Loss, Objective } from 'evenkeel/losses';
import { accuracy, balancedAccuracy, calibrationError, perClassAccuracy, shotAccuracy } from 'evenkeel/metrics';
import { cosineLinear, flatten, linear, relu, resnet32, sequential, type Sequential } from 'evenkeel/nn';
import { multiStep, sgd, warmUp, type Schedule } from 'evenkeel/optim';
import { epochScores, fit, type FitOptions } from 'evenkeel/train';
import { UsageError } from '../errors.ts';
import { integer, list, text, toggle } from '../flags.ts';
import type { DatasetBytes, JobContext } from '../job.ts';
import { lateEpoch } from '../methods.ts';
import { percent } from '../table.ts';
import { experiment, type Experiment, type Verdict } from './experiment.ts';
import { judgePaired, type Comparison, type PairedRun } from './paired.ts';

const IMBALANCE = 0.01;
const MOMENTUM = 0.9;
const HIDDEN = 64;

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

/** What a method may look at when it is made for a run. */
export interface LongTailSetup {
  train: Dataset;
  /** Validation images, as many of each class; of experiments that ask for some. */
  held: Dataset | null;
  /** The first epoch of the deferred parts. */
  late: number;
  full: boolean;
}

/** What a method adds to a recipe: a loss or an objective, and perhaps more. */
export interface LongTailPlan {
  loss?: Loss;
  objective?: Objective;
  sampler?: Sampler;
  schedule?: readonly Schedule[];
  /** Factor of a cosine classifier; none: a linear one. */
  cosineScale?: number;
  onEpoch?(model: Sequential, epoch: number): void | Promise<void>;
}

/** A method of an experiment, made anew for each run. */
export type LongTailMethod = (setup: LongTailSetup) => LongTailPlan;

/** One trained net. Shares and errors are fractions, on the official test images after the last epoch. */
export type LongTailRun = {
  dataset: string;
  seed: number;
  method: string;
  balancedAccuracy: number;
  /**
   * The largest balanced accuracy after any epoch that was scored, and that epoch, from 1: a selection on the test set,
   * shown beside the last.
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

/** Options of the jobs. */
export interface LongTailOptions {
  full: boolean;
  seeds: number;
  epochs: number | null;
  methods: readonly string[];
}

/** The recipe of a protocol; `epochs` keeps the shares at which the rate falls. */
export function longTailRecipe(
  { full, epochs }: Pick<LongTailOptions, 'full' | 'epochs'>,
  own: Pick<LongTailDefinition<string>, 'quick' | 'full'> = {},
): LongTailRecipe {
  const recipe = full ? { ...FULL, ...own.full } : { ...QUICK, ...own.quick };
  return { ...recipe, epochs: epochs ?? recipe.epochs };
}

/**
 * The source of the images: Fashion-MNIST, with --full the folder that --data names. Throws UsageError when the two do
 * not fit.
 */
export function longTailSource({ full, data }: { full: boolean; data: string | null }): string {
  if (full && data === null)
    throw new UsageError('--full needs --data DIR, the folder of the binary version of CIFAR-10');
  if (!full && data !== null)
    throw new UsageError('--data is the folder of CIFAR-10 for --full, expected both or neither');
  return full ? `cifar10:${data}` : 'fashion-mnist';
}

/** All images of a source, those of CIFAR-10 normalised by channel. */
export async function longTailImages({ name, ...bytes }: DatasetBytes): Promise<{ all: Dataset; test: Dataset }> {
  const all = await loadIdx(bytes.trainImages, bytes.trainLabels, { name, numClasses: 10 });
  const test = await loadIdx(bytes.testImages, bytes.testLabels, { name, numClasses: 10 });
  const ready = (data: Dataset): Dataset => (name === 'cifar10' ? normalizeChannels(data, CIFAR10_STATISTICS) : data);
  return { all: ready(all), test: ready(test) };
}

/** `held` validation images of each class, and a long tail of the other training images. */
export function longTailParts(
  { all, test }: { all: Dataset; test: Dataset },
  { held, seed }: { held: number; seed: number },
): LongTailParts {
  const tailed = (data: Dataset): Dataset => longTail(data, { imbType: 'exp', imbFactor: IMBALANCE, seed });
  if (held === 0) return { train: tailed(all), held: null, test };
  const share = (held * all.numClasses) / all.y.length;
  const parts = split(all, { train: 1 - share, held: share, seed });
  return { train: tailed(parts.train), held: parts.held, test };
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
  { emit, signal }: JobContext,
): Promise<LongTailRun> {
  const { epochs, batchSize, lr, weightDecay, warmUp: warm, drops, factor, late } = recipe;
  const plan = method({ train, held, late: lateEpoch(epochs, { lateShare: late }), full });
  const { loss, objective, sampler, schedule = [], cosineScale, onEpoch } = plan;
  const model = (full ? residualNet(train, cosineScale) : smallNet(train, cosineScale)).init({ seed: what.seed });
  const scores = epochScores(model, test, { signal });
  const options: FitOptions = {
    ...(loss ? { loss } : { objective: objective! }),
    optimizer: sgd({ lr, momentum: MOMENTUM, weightDecay }),
    schedule: [
      ...(warm > 0 ? [warmUp({ epochs: warm })] : []),
      multiStep({ milestones: drops.map((lateShare) => lateEpoch(epochs, { lateShare })), gamma: factor }),
      ...schedule,
    ],
    ...(full && { augment: cropFlip() }),
    ...(sampler && { sampler }),
    onEpoch: async (report) => {
      await onEpoch?.(model, report.epoch);
      if ((epochs - 1 - report.epoch) % scoredEvery(recipe, full) === 0) await scores(report);
    },
    epochs,
    batchSize,
    seed: what.seed,
    signal,
    onStep: ({ step, epoch, loss: value, stepsPerSecond }) =>
      emit({ type: 'step', done: step, stepsPerSecond, loss: value, note: `epoch ${epoch + 1}/${epochs}` }),
  };
  try {
    emit({
      type: 'phase',
      label: `seed ${what.seed} ${what.method}`,
      total: epochs * Math.ceil(train.y.length / batchSize),
    });
    const { seconds } = await fit(model, train, options);
    const probs = softmaxRows(await model.logits(test.x));
    const { many, medium, few } = shotAccuracy(probs, test.y, { counts: train.classCounts, groups: 'thirds' });
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

function smallNet({ x, numClasses }: Dataset, scale?: number): Sequential {
  const features = x.shape.slice(1).reduce((a, b) => a * b, 1);
  return sequential(
    flatten(),
    linear(features, HIDDEN),
    relu(),
    scale === undefined ? linear(HIDDEN, numClasses) : cosineLinear(HIDDEN, numClasses, { scale }),
  );
}

function residualNet({ numClasses: classes }: Dataset, scale?: number): Sequential {
  return resnet32(scale === undefined ? { classes } : { classes, head: 'cosine', scale });
}

/** What one experiment says beside the shared runner. */
export interface LongTailDefinition<M extends string> {
  id: string;
  title: string;
  claim: string;
  methods: Readonly<Record<M, LongTailMethod>>;
  /** Settings of the methods and where they come from, one or more sentences. */
  settings(full: boolean): string;
  /** What the claim asks for. */
  asked: readonly (Comparison & { baseline: M; method: M })[];
  /** Comparisons shown beside it. */
  beside?: readonly (Omit<Comparison, 'margin'> & { baseline: M; method: M })[];
  /** Validation images of each class. Default: none. */
  held?: { quick: number; full: number };
  /** How the recipe on Fashion-MNIST differs from the others'. */
  quick?: Partial<LongTailRecipe>;
  /** How the full recipe differs from that of LDAM. */
  full?: Partial<LongTailRecipe>;
}

/** An experiment on Fashion-MNIST with a long tail of imbalance 100, with --full on CIFAR-10. */
export function longTailExperiment<M extends string>({
  id,
  title,
  claim,
  methods,
  settings,
  asked,
  beside = [],
  held,
  ...own
}: LongTailDefinition<M>): Experiment {
  const names = Object.keys(methods) as M[];
  return experiment({
    id,
    title,
    claim,
    flags: {
      seeds: integer('number of seeds: 0, 1, ...; each changes data, weights and order', 3, { min: 1, max: 100 }),
      methods: list('methods to train', names, names),
      epochs: integer('passes over the training images', null, { min: 2, max: 10_000 }),
      full: toggle('ResNet-32 on long-tailed CIFAR-10 with the published schedule'),
      data: text('folder of the binary version of CIFAR-10, for --full', 'DIR', null),
    },
    protocol: ({ seeds, full, epochs }) => {
      const count = full ? held?.full : held?.quick;
      const recipe = longTailRecipe({ full, epochs }, own);
      const every = scoredEvery(recipe, full);
      return (
        `${describeRecipe(recipe, full)} ${settings(full)} ` +
        `${count ? `${count} further training images of each class are the validation images. ` : ''}` +
        'Official balanced test set after the last epoch, and beside it after the best of ' +
        `${every === 1 ? 'all' : `every ${every}th`}; ${seeds} seed${seeds === 1 ? '' : 's'}, paired.`
      );
    },
    datasets: (values) => [longTailSource(values)],
    options: ({ seeds, methods: chosen, epochs, full }): LongTailOptions => ({ seeds, methods: chosen, epochs, full }),
    job: async ({ seeds, methods: chosen, epochs, full }: LongTailOptions, context): Promise<LongTailRun[]> => {
      const images = await longTailImages(context.datasets[0]!);
      const recipe = longTailRecipe({ full, epochs }, own);
      const runs: LongTailRun[] = [];
      for (let seed = 0; seed < seeds; seed++) {
        const parts = longTailParts(images, { held: (full ? held?.full : held?.quick) ?? 0, seed });
        for (const method of chosen) {
          const run = await trainLongTailed({ seed, method }, methods[method as M], parts, full, recipe, context);
          runs.push(run);
          context.emit({ type: 'line', text: describeRun(run) });
        }
      }
      return runs;
    },
    judge: (runs: readonly LongTailRun[]) => judgeLongTail(runs, asked, beside),
  });
}

/** A sentence on data, net and training. */
export function describeRecipe(
  { epochs, batchSize, lr, weightDecay, warmUp: warm, drops, factor, late }: LongTailRecipe,
  full: boolean,
): string {
  const at = (lateShare: number): number => lateEpoch(epochs, { lateShare }) + 1;
  return (
    'Exponential long tail of imbalance 100 of ' +
    `${full ? 'CIFAR-10, ResNet-32, random crops and flips' : `Fashion-MNIST, 784-${HIDDEN}-10 with relu`}; ` +
    `SGD with momentum ${MOMENTUM}, rate ${lr}, weight decay ${weightDecay}, ` +
    `batches of ${batchSize}, ${epochs} epochs${warm > 0 ? `, warm-up over ${warm}` : ''}, the rate times ` +
    `${factor} from epoch ${drops.map(at).join(' and again ')}; what is deferred starts in epoch ${at(late)}.` +
    (full
      ? ''
      : ' All methods share rate, decay and schedule; rate and decay were chosen for cross-entropy on held-out ' +
        'training images, in a larger net (see ldam-drw).')
  );
}

/** A run in a line. */
export function describeRun({
  dataset,
  seed,
  method,
  balancedAccuracy: balanced,
  bestBalancedAccuracy: best,
  bestEpoch,
  few,
  ece,
  seconds,
  ...run
}: LongTailRun): string {
  return (
    `${dataset}, seed ${seed}, ${method}: balanced ${percent(balanced)} % (best ${percent(best)} % after epoch ` +
    `${bestEpoch}), accuracy ${percent(run.accuracy)} %, few ${percent(few)} %, ECE ${percent(ece)} % ` +
    `(${seconds.toFixed(0)} s)`
  );
}

/**
 * The claim at the last epoch, and beside it comparisons that do not count for it: those given, and the claim at the
 * best test epoch of each run.
 */
export function judgeLongTail(
  runs: readonly PairedRun[],
  asked: readonly Comparison[],
  beside: readonly Omit<Comparison, 'margin'>[] = [],
): Verdict {
  const verdict = judgePaired(runs, asked);
  const selected = asked
    .filter(({ metric }) => metric === 'balancedAccuracy')
    .map((comparison) => ({
      ...comparison,
      metric: 'bestBalancedAccuracy',
      label: `${comparison.label}, best test epoch`,
    }));
  const isRun = (name: string): boolean => runs.some(({ method }) => method === name);
  for (const comparison of [...beside, ...selected].filter(
    ({ baseline, method }) => isRun(baseline) && isRun(method),
  )) {
    const { baseline, method, label } = comparison;
    const shown = judgePaired(runs, [{ ...comparison, margin: 0 }]);
    for (const [dataset, value] of Object.entries(shown.result)) {
      const { [baseline]: base, [method]: ours, difference, seeds } = value as Record<string, unknown>;
      verdict.result[`${dataset}: ${label}, ${method} against ${baseline}, beside the claim`] = {
        [baseline]: base,
        [method]: ours,
        difference,
        seeds,
      };
    }
    verdict.table.rows.push(...shown.table.rows.map((row) => [...row.slice(0, 5), '', '']));
  }
  return verdict;
}
