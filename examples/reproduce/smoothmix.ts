import { consistency, gaussian, smoothMix } from 'evenkeel/objectives';
import type { Dataset } from 'evenkeel/data';
import type { Objective } from 'evenkeel/losses';
import { lenet, mlp } from 'evenkeel/nn';
import { sgd, stepLr } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { certifyAll } from './lib/certify-all.ts';
import { count, experiment, integer, report, say, seedCount, toggle } from './lib/experiment.ts';
import type { Context, Experiment, Verdict } from './lib/experiment.ts';
import { take } from './lib/images.ts';
import { recipeOf, type ProtocolOptions } from './lib/protocol.ts';
import { Checks, meanAndDeviation, meanOf, percent, withDeviation } from './lib/statistics.ts';

const METHODS = ['gaussian', 'consistency', 'smoothmix'] as const;
type Method = (typeof METHODS)[number];
/** By how much the radius of SmoothMix must pass that of Gaussian training. */
const GAP = 0.05;
const [N0, ALPHA] = [100, 0.001];

/**
 * ACR of the official models (LeNet, all test images, sigma 0.5 on Fashion-MNIST and 1 on MNIST, SmoothMix there with
 * eta 5) by n: from the published radii at n = 100,000, with the counts drawn again for the smaller n. Another net,
 * subset and number of epochs than the quick protocol's.
 */
const OFFICIAL: Readonly<Record<string, Readonly<Record<Method, Readonly<Record<number, number>>>>>> = {
  'fashion-mnist': {
    gaussian: { 500: 0.722, 1000: 0.792, 10_000: 0.958, 100_000: 1.056 },
    consistency: { 500: 0.785, 1000: 0.867, 10_000: 1.073, 100_000: 1.212 },
    smoothmix: { 500: 0.788, 1000: 0.871, 10_000: 1.086, 100_000: 1.237 },
  },
  mnist: {
    gaussian: { 500: 1.3, 1000: 1.394, 10_000: 1.561, 100_000: 1.619 },
    consistency: { 500: 1.372, 1000: 1.476, 10_000: 1.669, 100_000: 1.738 },
    smoothmix: { 500: 1.389, 1000: 1.504, 10_000: 1.728, 100_000: 1.817 },
  },
};

/** A data set and what goes with it. */
interface Setting {
  data: 'fashion-mnist' | 'mnist';
  sigma: number;
  lambda: number;
  /** The small net, and the paper's. */
  quick: { steps: number; stepSize: number; eta: number };
  full: { steps: number; stepSize: number; eta: number };
}

const FASHION: Setting = {
  data: 'fashion-mnist',
  sigma: 0.5,
  lambda: 5,
  quick: { steps: 2, stepSize: 1, eta: 5 },
  full: { steps: 4, stepSize: 1, eta: 5 },
};
const MNIST: Setting = { ...FASHION, data: 'mnist', sigma: 1, full: { ...FASHION.full, steps: 8 } };

/** Options of the job. */
export interface SmoothMixExperimentOptions extends ProtocolOptions {
  /** Test images to certify. */
  certified: number;
  /** Noisy copies that bound the probability. */
  n: number;
}

/** What the quick protocol and the full one train with; `m`: noisy copies of an image. */
const RECIPES = {
  quick: {
    net: '784-128-10',
    images: 10_000,
    epochs: 10,
    batchSize: 128,
    m: { gaussian: 1, consistency: 2, smoothmix: 2 },
    lr: 0.05,
    weightDecay: 0,
    drop: null,
  },
  full: {
    net: 'LeNet',
    images: 60_000,
    epochs: 90,
    batchSize: 256,
    m: { gaussian: 1, consistency: 2, smoothmix: 4 },
    lr: 0.01,
    weightDecay: 1e-4,
    drop: 30,
  },
} as const;

/** One trained and certified net. */
export type SmoothMixRun = {
  dataset: string;
  seed: number;
  method: Method;
  /** Noisy copies that bound the probability. */
  n: number;
  /** Average certified radius. */
  acr: number;
  /** Share of images certified right at radius 0, sigma, 2 sigma and 3 sigma. */
  accuracyAt: number[];
  trainSeconds: number;
  certifySeconds: number;
};

/** Jeong et al., NeurIPS 2021, on Fashion-MNIST. */
export const smoothMixFashion: Experiment = compare('smoothmix-fashion', FASHION);
/** The same on MNIST at the largest noise of its tables. */
export const smoothMixMnist: Experiment = compare('smoothmix-mnist', MNIST);

function compare(id: string, setting: Setting): Experiment {
  const { data, sigma, lambda } = setting;
  return experiment({
    id,
    title: `SmoothMix against Gaussian and consistency training: certified radii on ${data}`,
    claim:
      `At sigma ${sigma} the average certified radius (ACR) of Gaussian training is below that of Consistency, ` +
      `which is not above that of SmoothMix; SmoothMix leads Gaussian by at least ${GAP} (after Jeong et al., ` +
      'NeurIPS 2021).',
    flags: {
      seeds: seedCount('changes weights, order and noise', 1),
      full: toggle('LeNet on all images with the schedule of the paper'),
      images: integer('training images, from the first on', null, { min: 20, max: 60_000 }),
      epochs: integer('passes over them', null, { min: 1, max: 10_000 }),
      certified: integer('test images to certify, from the first on', 500, { min: 1, max: 10_000 }),
      n: integer('noisy copies that bound the probability', 1000, { min: 10, max: 1_000_000 }),
    },
    protocol: (values) => {
      const { net, images, epochs, batchSize, m, lr, weightDecay, drop } = recipeOf(RECIPES, values);
      const { steps, stepSize, eta } = values.full ? setting.full : setting.quick;
      const draws =
        new Set(Object.values(m)).size === 2
          ? `${m.gaussian} noisy copy for Gaussian, ${m.smoothmix} else`
          : `${m.gaussian}, ${m.consistency} and ${m.smoothmix} noisy copies`;
      return (
        `${net} on the first ${images} training images of ${data} for ${epochs} epochs; SGD with momentum ` +
        `0.9, weight decay ${weightDecay}, rate ` +
        `${lr}${drop ? `, a tenth of it after each ${drop} epochs` : ''}; ` +
        `batches of ${batchSize}${values.full ? ' divided by the copies of an image' : ''}; ${draws}; noise ` +
        `of sigma ${sigma}. ` +
        `Consistency: lambda ${lambda}; SmoothMix: ${steps} steps of ${stepSize}, eta ${eta}, warm-up over 10 ` +
        'epochs. ' +
        (values.full
          ? 'Settings of the paper. '
          : 'Settings come from a search on held-out training images of Fashion-MNIST' +
            `${data === 'mnist' ? ', at sigma 0.5' : ''}, not from test images. `) +
        `Certified: the first ${values.certified} test images, n0 ${N0}, n ${values.n}, alpha ${ALPHA}. ` +
        `${count(values.seeds, 'seed')}, paired.`
      );
    },
    datasets: () => [data],
    job: async (options, context) => {
      const images = context.datasets[0]!;
      const [train, test] = [
        take(images.train, recipeOf(RECIPES, options).images),
        take(images.test, options.certified),
      ];
      const runs: SmoothMixRun[] = [];
      for (let seed = 0; seed < options.seeds; seed++) {
        for (const method of METHODS) {
          const run = await runOnce(method, seed, setting, train, test, options, context);
          runs.push(run);
          say(
            context,
            `seed ${seed}, ${method}: ACR ${run.acr.toFixed(3)}, certified at 0 / ${sigma} / ${2 * sigma} / ` +
              `${3 * sigma}: ${run.accuracyAt.map((v) => percent(v, 1)).join(' / ')} % ` +
              `(${run.trainSeconds.toFixed(0)} s + ${run.certifySeconds.toFixed(0)} s)`,
          );
        }
      }
      return runs;
    },
    judge,
  });
}

function objectiveOf(method: Method, { sigma, lambda, quick, full }: Setting, isFull: boolean, m: number): Objective {
  if (method === 'gaussian') return gaussian({ sigma, numCopies: m });
  if (method === 'consistency') return consistency({ sigma, numCopies: m, lambda });
  return smoothMix({ sigma, numCopies: m, ...(isFull ? full : quick) });
}

async function runOnce(
  method: Method,
  seed: number,
  setting: Setting,
  train: Dataset,
  test: Dataset,
  options: SmoothMixExperimentOptions,
  context: Context,
): Promise<SmoothMixRun> {
  const { epochs, batchSize, m, lr, weightDecay, drop } = recipeOf(RECIPES, options);
  const model = (options.full ? lenet({ numClasses: train.numClasses }) : mlp(784, 128, train.numClasses)).init({
    seed,
  });
  // The paper's code divides its batch by the copies and takes a step for each part.
  const rows = options.full ? Math.floor(batchSize / m[method]) : batchSize;
  try {
    const { seconds } = await fit(model, train, {
      objective: objectiveOf(method, setting, options.full, m[method]),
      optimizer: sgd({ lr, momentum: 0.9, weightDecay }),
      ...(drop && { schedule: stepLr({ stepSize: drop, lag: 1 }) }),
      epochs,
      batchSize: rows,
      seed,
      signal: context.signal,
      onStep: report(context, `seed ${seed} ${method}`, train.y.length, { epochs, batchSize: rows }),
    });
    return {
      dataset: train.name!,
      seed,
      method,
      n: options.n,
      ...(await certifyAll(model, test, { sigma: setting.sigma, seed, n0: N0, n: options.n, alpha: ALPHA }, context)),
      trainSeconds: seconds,
    };
  } finally {
    model.dispose();
  }
}

/** Gaussian < Consistency <= SmoothMix in the mean paired ACR, and SmoothMix - Gaussian at least GAP. */
export function judge(runs: readonly SmoothMixRun[]): Verdict {
  const acrOf = (method: Method): Map<number, number> =>
    new Map(runs.filter((run) => run.method === method).map((run) => [run.seed, run.acr]));
  const officialOf = (method: Method): number | undefined => OFFICIAL[runs[0]?.dataset ?? '']?.[method][runs[0]!.n];
  const result: Record<string, unknown> = Object.fromEntries(
    METHODS.map((method) => [method, meanAndDeviation([...acrOf(method).values()])]),
  );
  const checks = new Checks(runs);
  const compare = (method: Method, baseline: Method, asked: string, isReached: (lead: number) => boolean): void => {
    const [ours, base] = [acrOf(method), acrOf(baseline)];
    const leads = [...ours].flatMap(([seed, acr]) => (base.has(seed) ? [acr - base.get(seed)!] : []));
    const holds = leads.length > 0 && isReached(meanOf(leads));
    const [high, low] = [officialOf(method), officialOf(baseline)];
    const official = high !== undefined && low !== undefined ? high - low : null;
    const name = `${method} - ${baseline}`;
    result[name] = { ...meanAndDeviation(leads), seeds: leads.length, official, holds };
    const shown = [[...base.values()], [...ours.values()], leads].map((values) => withDeviation(values, 3));
    checks.add([name, ...shown, asked, official?.toFixed(3) ?? ''], holds);
  };
  compare('consistency', 'gaussian', '> 0', (lead) => lead > 0);
  compare('smoothmix', 'consistency', '>= 0', (lead) => lead >= 0);
  compare('smoothmix', 'gaussian', `>= ${GAP}`, (lead) => lead >= GAP);
  const head = ['ACR', 'baseline', 'method', 'difference', 'asked', 'official models', 'holds'];
  return { result, holds: checks.holds, table: { head, rows: checks.rows } };
}
