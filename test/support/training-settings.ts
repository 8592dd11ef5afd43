import { NdArray, zeros } from 'evenkeel';
import {
  cdbSampler,
  classAwareSampler,
  classBalancedSampler,
  cropFlip,
  drs,
  makeDataset,
  progressiveSampler,
  squareRootSampler,
  type Dataset,
} from 'evenkeel/data';
import {
  absgd,
  alphaLoss,
  alphaSchedule,
  bayias,
  cals,
  calsHr,
  cdb,
  crossEntropyLoss,
  elr,
  focal,
  gce,
  influenceBalanced,
  influenced,
  ldam,
  noisedTopK,
  scheduledLoss,
  truncatedGce,
  vs,
} from 'evenkeel/losses';
import {
  BatchNorm,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  linfDistMlp,
  ReLU,
  Sequential,
  type Sequential as Model,
} from 'evenkeel/nn';
import {
  catRs,
  consistency,
  cutmix,
  gaussian,
  linfMargin,
  macer,
  manifoldMixup,
  mixed,
  mixup,
  remix,
  smoothAdv,
  smoothMix,
  stability,
  unimix,
} from 'evenkeel/objectives';
import {
  adagrad,
  adam,
  adamW,
  clipGradNorm,
  cosineLr,
  cosineWarmupLr,
  drw,
  ema,
  lamb,
  linfSchedule,
  lpDecayAdamW,
  multiStepLr,
  oneCycleLr,
  rmsprop,
  sam,
  sgd,
  swa,
  swaLr,
  warmupLr,
} from 'evenkeel/optim';
import { susceptibility, type FitOptions } from 'evenkeel/train';
import { clusters } from './synthetic.ts';

const CLASSES = 4;
const COUNTS = [28, 18, 12, 6];
/** A long tail of 64 samples in [0, 1], (64, 16), sorted by class. */
export const tail = sampled(COUNTS, 1);
/** 20 samples, five a class. */
export const held = sampled([5, 5, 5, 5], 2);
/** The same samples as images, (n, 1, 4, 4). */
const images = pictures(tail);

function sampled(counts: readonly number[], seed: number): Dataset {
  const all = clusters({ n: 4 * Math.max(...counts), classes: CLASSES, features: 16, spread: 6, seed });
  const rows = counts.flatMap((n, c) => Array.from({ length: n }, (_, i) => i * CLASSES + c));
  const x = rows.flatMap((r) => Array.from(all.x.data.subarray(r * 16, r * 16 + 16), (v) => 1 / (1 + Math.exp(-v))));
  const y = rows.map((r) => all.y[r]!);
  return makeDataset(new NdArray(Float32Array.from(x), [rows.length, 16]), y, { numClasses: CLASSES });
}

function pictures({ x, y }: Dataset): Dataset {
  return makeDataset(new NdArray(x.data, [x.length, 1, 4, 4]), y, { numClasses: CLASSES });
}

/** A run of `fit` on a small model and data set, made anew for each run; `dispose` frees what `fit` does not own. */
export interface Setting {
  model: Model;
  data: Dataset;
  options: FitOptions;
  dispose(): void;
}

/** What differs from `fit(mlp, tail, { optimizer: sgd, batchSize: 16, epochs: 13, seed: 3 })`. */
interface Parts extends Partial<FitOptions> {
  model?: Model;
  data?: Dataset;
  /** What it owns besides the loss or objective. */
  owned?: { dispose(): void }[];
}

const mlp = (): Model => Sequential(Linear(16, 24), ReLU(), Linear(24, CLASSES)).init({ seed: 2 });

function setting({ model = mlp(), data = tail, owned = [], ...options }: Parts): Setting {
  const { objective } = options;
  const loss = options.loss ?? (objective ? undefined : crossEntropyLoss());
  const all = [model, ...owned, loss, objective].filter((t) => t && 'dispose' in t) as { dispose(): void }[];
  return {
    model,
    data,
    options: {
      optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
      epochs: 13,
      batchSize: 16,
      seed: 3,
      ...options,
      ...(loss && { loss }),
    },
    dispose: () => all.forEach((t) => t.dispose()),
  };
}

const SIGMA = 0.2;
const normed = (): Model =>
  Sequential(Conv2d(1, 4, 3), BatchNorm(4), ReLU(), Flatten(), Dropout(0.3), Linear(16, CLASSES)).init({ seed: 2 });

/** Settings by name, one or more of every kind that `fit` takes. */
export const SETTINGS: Readonly<Record<string, () => Setting>> = {
  'sgd, noise': () => setting({ inputNoise: 0.2 }),
  'a smaller last batch': () => setting({ batchSize: 20, inputNoise: 0.1 }),
  dropLast: () => setting({ batchSize: 20, dropLast: true }),
  accumulate: () => setting({ batchSize: 8, accumulate: 3, inputNoise: 0.1 }),
  'accumulated sums': () =>
    setting({
      batchSize: 8,
      accumulate: 2,
      loss: crossEntropyLoss({ reduction: 'sum' }),
      optimizer: sgd({ lr: 0.01 }),
    }),
  'batch norm, dropout, augmentation': () =>
    setting({ model: normed(), data: images, augment: cropFlip({ padding: 1 }), inputNoise: 0.1 }),
  'dropout, sam': () =>
    setting({ model: normed(), data: images, optimizer: sam({ base: sgd({ lr: 0.1 }), rho: 0.1 }) }),
  'sam, accumulate': () =>
    setting({ batchSize: 8, accumulate: 2, optimizer: sam({ base: adam({ lr: 0.01 }), adaptive: true, rho: 0.5 }) }),
  adam: () => setting({ optimizer: adam({ lr: 0.01 }) }),
  'mixed precision': () => setting({ precision: 'mixed', optimizer: adam({ lr: 0.01 }) }),
  'adamW, groups, oneCycleLr': () =>
    setting({
      optimizer: adamW({ lr: 0.01, groups: [{ params: '2.*', lr: 0.03, weightDecay: 0 }] }),
      schedule: oneCycleLr({ maxLr: 0.05 }),
    }),
  'adagrad, cosineWarmupLr': () =>
    setting({ optimizer: adagrad({ lr: 0.1 }), schedule: cosineWarmupLr({ warmup: 2, by: 'epoch' }) }),
  rmsprop: () => setting({ optimizer: rmsprop({ lr: 0.01, momentum: 0.5 }) }),
  lamb: () => setting({ optimizer: lamb({ lr: 0.02 }) }),
  'clipGradNorm, cosineLr by step': () =>
    setting({ optimizer: clipGradNorm(sgd({ lr: 0.5 }), { maxNorm: 0.5 }), schedule: cosineLr({ by: 'step' }) }),
  'ema, warmupLr, multiStepLr': () => {
    const model = mlp();
    const average = ema({ decay: 0.9 }).for(model);
    return setting({
      model,
      weightAverage: average,
      owned: [average],
      schedule: [warmupLr({ epochs: 3 }), multiStepLr({ milestones: [6, 9] })],
    });
  },
  'swa, swaLr': () => {
    const model = mlp();
    const average = swa({ from: 4 }).for(model);
    return setting({ model, weightAverage: average, owned: [average], schedule: swaLr({ swaLr: 0.05, from: 4 }) });
  },
  'ldam, drw': () => setting({ loss: ldam({ classCounts: COUNTS }), schedule: drw({ from: 5, rule: 'inverse' }) }),
  vs: () => setting({ loss: vs({ classCounts: COUNTS, gamma: 0.1, tau: 1 }), sampler: squareRootSampler() }),
  'focal, classBalancedSampler': () => setting({ loss: focal({ gamma: 2 }), sampler: classBalancedSampler() }),
  'gce, progressiveSampler': () => setting({ loss: gce(), sampler: progressiveSampler() }),
  'classAwareSampler, accumulate': () => setting({ sampler: classAwareSampler(), batchSize: 8, accumulate: 2 }),
  drs: () => setting({ sampler: drs({ from: 5 }) }),
  'cdb, cdbSampler': () => {
    const [loss, sampler] = [cdb({ numClasses: CLASSES }), cdbSampler()];
    const onEpoch = ({ epoch }: { epoch: number }): void => {
      const accuracy = COUNTS.map((_, c) => (c + epoch) / (COUNTS.length + epoch + 1));
      loss.update(accuracy);
      sampler.setClassAccuracy(accuracy);
    };
    return setting({ loss, sampler, onEpoch });
  },
  cals: () => {
    const model = mlp();
    const loss = cals({ numClasses: CLASSES, margin: 2, rhoStep: 2 });
    return setting({ model, loss, onEpoch: loss.onEpoch(model, held) });
  },
  calsHr: () => {
    const model = mlp();
    const loss = calsHr({ numClasses: CLASSES, margin: 1 });
    return setting({ model, loss, onEpoch: loss.onEpoch(model, held) });
  },
  absgd: () => setting({ loss: absgd(crossEntropyLoss(), { lambda: 1 }) }),
  elr: () => setting({ objective: elr({ numSamples: 64, numClasses: CLASSES }) }),
  truncatedGce: () => setting({ objective: truncatedGce({ numSamples: 64 }) }),
  noisedTopK: () => setting({ objective: noisedTopK({ k: 2, eps: 0.1 }) }),
  'scheduledLoss of alpha': () => {
    const loss = alphaLoss();
    const alpha = alphaSchedule({ from: 1, to: 3, start: 2 });
    return setting({ objective: scheduledLoss(loss, (at) => loss.setAlpha(alpha(at))), owned: [loss] });
  },
  influenced: () => setting({ objective: influenced(influenceBalanced(), { from: 4 }) }),
  'mixup, ldam, drw': () =>
    setting({ objective: mixed(mixup(), ldam({ classCounts: COUNTS }), { until: 9 }), schedule: drw({ from: 5 }) }),
  cutmix: () => setting({ model: normed(), data: images, objective: mixed(cutmix(), crossEntropyLoss()) }),
  remix: () => setting({ objective: mixed(remix({ classCounts: COUNTS }), crossEntropyLoss()) }),
  'unimix, bayias': () =>
    setting({ objective: mixed(unimix({ classCounts: COUNTS }), bayias({ classCounts: COUNTS })) }),
  manifoldMixup: () => setting({ objective: manifoldMixup(crossEntropyLoss(), { layers: [0, 2] }) }),
  gaussian: () => setting({ objective: gaussian({ sigma: SIGMA, numCopies: 2 }) }),
  stability: () => setting({ objective: stability({ sigma: SIGMA }) }),
  smoothAdv: () => setting({ objective: smoothAdv({ sigma: SIGMA, numCopies: 2, steps: 2, eps: 0.3 }) }),
  consistency: () => setting({ objective: consistency({ sigma: SIGMA, adversary: { eps: 0.2, steps: 1 } }) }),
  macer: () => setting({ objective: macer({ sigma: SIGMA, numCopies: 4, lambda: 1, from: 3 }) }),
  smoothMix: () =>
    setting({ objective: smoothMix({ sigma: SIGMA, numCopies: 2, steps: 2, stepSize: 0.3, mixStep: 1 }) }),
  catRs: () => {
    const targets = zeros([64, CLASSES]);
    targets.write(Float32Array.from({ length: 64 * CLASSES }, (_, i) => (i % CLASSES === tail.y[i >> 2] ? 0.7 : 0.1)));
    return setting({ objective: catRs({ sigma: SIGMA, targets, steps: 1, eps: 0.3 }), owned: [targets] });
  },
  'linfMargin, linfSchedule': () => {
    const model = linfDistMlp([16, 12, CLASSES], { p: 8 }).init({ seed: 2 });
    const loss = linfMargin({ epsTrain: 0.2, scale: () => model.scale });
    const schedule = linfSchedule({
      pStartEpoch: 2,
      pEndEpoch: 9,
      pEnd: 32,
      lambda: 0.1,
      lambdaEnd: 0.01,
      ramp: 'staircase',
      apply: ({ p, lambda }) => {
        model.power.set(p);
        loss.set({ lambda });
      },
    });
    return setting({ model, loss, schedule, optimizer: lpDecayAdamW({ power: model.power }) });
  },
  'probe by the state of the run': () =>
    setting({ probe: susceptibility(tail, { batchSize: 16, seed: 5 }), schedule: cosineLr() }),
  'probe by its own optimizer, every 7 steps': () =>
    setting({ probe: susceptibility(tail, { batchSize: 16, everySteps: 7, optimizer: sgd({ lr: 0.05 }) }) }),
  detectAnomaly: () => setting({ detectAnomaly: true, epochs: 2 }),
};
