import { certifyDataset, Smooth, type CertificateRow } from 'evenkeel/certify';
import { consistency, gaussian, smoothMix } from 'evenkeel/objectives';
import type { Dataset } from 'evenkeel/data';
import type { Objective } from 'evenkeel/losses';
import { averageCertifiedRadius, certifiedAccuracy } from 'evenkeel/metrics';
import { lenet, mlp, type Sequential } from 'evenkeel/nn';
import { sgd, stepLr } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { count, experiment, integer, report, say, seedCount, toggle } from './lib/experiment.ts';
import type { Context, Experiment, Verdict } from './lib/experiment.ts';
import { take } from './lib/images.ts';
import { meanAndDeviation, percent, withDeviation } from './lib/statistics.ts';

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

/** Flags that change the protocol; null: its own value. */
interface Wishes {
  full: boolean;
  images: number | null;
  epochs: number | null;
  certified: number;
}

/** Sizes, rates and draws of the quick protocol and of the full one. */
function recipeOf({ full, images, epochs }: Pick<Wishes, 'full' | 'images' | 'epochs'>) {
  return full
    ? {
        net: 'LeNet',
        images: images ?? 60_000,
        epochs: epochs ?? 90,
        batchSize: 256,
        m: { gaussian: 1, consistency: 2, smoothmix: 4 },
        lr: 0.01,
        weightDecay: 1e-4,
        drop: 30,
      }
    : {
        net: '784-128-10',
        images: images ?? 10_000,
        epochs: epochs ?? 10,
        batchSize: 128,
        m: { gaussian: 1, consistency: 2, smoothmix: 2 },
        lr: 0.05,
        weightDecay: 0,
        drop: null,
      };
}

/** Options of the job. */
export interface SmoothMixExperimentOptions extends Wishes {
  seeds: number;
  n: number;
}

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
  at0: number;
  at1: number;
  at2: number;
  at3: number;
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
      const { net, images, epochs, batchSize, m, lr, weightDecay, drop } = recipeOf(values);
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
    options: ({ seeds, full, images, epochs, certified, n }): SmoothMixExperimentOptions => ({
      seeds,
      full,
      images,
      epochs,
      certified,
      n,
    }),
    job: async (options, context) => {
      const images = context.datasets[0]!;
      const [train, test] = [take(images.train, recipeOf(options).images), take(images.test, options.certified)];
      const runs: SmoothMixRun[] = [];
      for (let seed = 0; seed < options.seeds; seed++) {
        for (const method of METHODS) {
          const run = await runOnce(method, seed, setting, train, test, options, context);
          runs.push(run);
          say(
            context,
            `seed ${seed}, ${method}: ACR ${run.acr.toFixed(3)}, certified at 0 / ${sigma} / ${2 * sigma} / ` +
              `${3 * sigma}: ${[run.at0, run.at1, run.at2, run.at3].map((v) => percent(v, 1)).join(' / ')} % ` +
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
  const { epochs, batchSize, m, lr, weightDecay, drop } = recipeOf(options);
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
      ...(await certifyAll(model, test, setting.sigma, seed, options.n, context)),
      trainSeconds: seconds,
    };
  } finally {
    model.dispose();
  }
}

/** Radii of the test images, each with noise of its own, the same for all methods of a seed. */
async function certifyAll(
  model: Sequential,
  test: Dataset,
  sigma: number,
  seed: number,
  n: number,
  { emit, signal }: Context,
): Promise<Pick<SmoothMixRun, 'acr' | 'at0' | 'at1' | 'at2' | 'at3' | 'certifySeconds'>> {
  using smooth = new Smooth(model, { numClasses: test.numClasses, sigma, seed });
  const start = performance.now();
  const rows: CertificateRow[] = [];
  emit({ type: 'phase', label: 'certify', total: test.y.length });
  for await (const { row, done } of certifyDataset(smooth, test, { n0: N0, n, alpha: ALPHA, signal })) {
    rows.push(row);
    emit({ type: 'step', done });
  }
  const [radii, correct] = [rows.map((row) => row.radius), rows.map((row) => row.correct)];
  const [at0, at1, at2, at3] = certifiedAccuracy(radii, correct, [0, sigma, 2 * sigma, 3 * sigma]) as [
    number,
    number,
    number,
    number,
  ];
  return {
    acr: averageCertifiedRadius(radii, correct),
    at0,
    at1,
    at2,
    at3,
    certifySeconds: (performance.now() - start) / 1000,
  };
}

/** Gaussian < Consistency <= SmoothMix in the mean paired ACR, and SmoothMix - Gaussian at least GAP. */
export function judge(runs: readonly SmoothMixRun[]): Verdict {
  const of = (method: Method): Map<number, number> =>
    new Map(runs.filter((r) => r.method === method).map((r) => [r.seed, r.acr]));
  const show = (values: readonly number[]): string => withDeviation(values, 3);
  const lead = (method: Method, baseline: Method): number[] =>
    [...of(method)].flatMap(([seed, acr]) => (of(baseline).has(seed) ? [acr - of(baseline).get(seed)!] : []));
  const steps = [
    { method: 'consistency', baseline: 'gaussian', asked: '> 0', reached: (mean: number) => mean > 0 },
    { method: 'smoothmix', baseline: 'consistency', asked: '>= 0', reached: (mean: number) => mean >= 0 },
    { method: 'smoothmix', baseline: 'gaussian', asked: `>= ${GAP}`, reached: (mean: number) => mean >= GAP },
  ] as const;
  const result: Record<string, unknown> = Object.fromEntries(
    METHODS.map((method) => [method, meanAndDeviation([...of(method).values()])]),
  );
  const rows: string[][] = [];
  const official = (method: Method): number | undefined => OFFICIAL[runs[0]?.dataset ?? '']?.[method][runs[0]!.n];
  let holds = true;
  for (const { method, baseline, asked, reached } of steps) {
    const differences = lead(method, baseline);
    const isReached = differences.length > 0 && reached(meanAndDeviation(differences).mean);
    holds &&= isReached;
    const [high, low] = [official(method), official(baseline)];
    const published = high !== undefined && low !== undefined ? high - low : null;
    result[`${method} - ${baseline}`] = {
      ...meanAndDeviation(differences),
      seeds: differences.length,
      official: published,
      holds: isReached,
    };
    rows.push([
      `${method} - ${baseline}`,
      show([...of(baseline).values()]),
      show([...of(method).values()]),
      show(differences),
      asked,
      published?.toFixed(3) ?? '',
      isReached ? 'yes' : 'no',
    ]);
  }
  return {
    result,
    holds,
    table: { head: ['ACR', 'baseline', 'method', 'difference', 'asked', 'official models', 'holds'], rows },
  };
}
