import { pgd } from 'evenkeel/attack';
import { certifyMargin } from 'evenkeel/certify';
import { normalizeChannels, type Dataset } from 'evenkeel/data';
import { type Objective } from 'evenkeel/losses';
import { argmaxRows } from 'evenkeel/metrics';
import { linfMargin } from 'evenkeel/objectives';
import { linfDistMlp, type LinfDistNet } from 'evenkeel/nn';
import { mul } from 'evenkeel/ops';
import { adam, linfSchedule } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { tensor } from 'evenkeel';
import { choice, count, experiment, integer, report, say, seedCount, toggle } from './lib/experiment.ts';
import type { Context, Verdict } from './lib/experiment.ts';
import { shifted, take } from './lib/images.ts';
import { recipeOf, type ProtocolOptions } from './lib/protocol.ts';
import { Checks, meanAndDeviation, percent, percentWithDeviation } from './lib/statistics.ts';

/** Pixels in [0, 1] enter the net as (pixel - MEAN) / STD; radii are in pixels. */
const [MEAN, STD] = [0.286, 0.352];
const EPS = 0.1;
const EPS_TRAIN = 0.225;
const BARS = { quick: 60, full: 70 } as const;

/** How p grows; 'auto': in powers of two, with --full as in the paper. */
type Ramp = 'auto' | 'staircase' | 'exponential';

/** Options of the job. */
export interface LinfFashionOptions extends ProtocolOptions {
  ramp: Ramp;
  /** Test images that are attacked. */
  attacked: number;
}

/** One trained net. Shares of the test images; `pgd` and `violations` are over the first `attacked` of them. */
export type LinfFashionRun = {
  seed: number;
  protocol: 'quick' | 'full';
  accuracy: number;
  /** Right, and no other class within EPS in any pixel: half the margin of the outputs. */
  certified: number;
  attacked: number;
  pgd: number;
  certifiedOfAttacked: number;
  /** Images that are certified and yet misclassified under attack, or attacked with success to the right class. */
  violations: number;
  seconds: number;
};

/** What the quick protocol and the full one train with. */
const RECIPES = {
  quick: {
    sizes: [784, 64, 10],
    images: 20_000,
    epochs: 15,
    batchSize: 128,
    pEnd: 512,
    ramp: 'staircase',
    lambda: 0.1,
    lambdaEnd: 0.001,
  },
  full: {
    sizes: [784, 128, 128, 10],
    images: 60_000,
    epochs: 30,
    batchSize: 256,
    pEnd: 1000,
    ramp: 'exponential',
    lambda: 0.3,
    lambdaEnd: 0.003,
  },
} as const;

/** The recipe of a protocol, with what the flags change. */
function recipeWithRamp({ ramp, ...options }: LinfFashionOptions) {
  const recipe = recipeOf(RECIPES, options);
  return { ...recipe, ramp: ramp === 'auto' ? recipe.ramp : ramp };
}

/** Zhang, Jiang, He and Wang, ICLR 2022, on a net that a software adapter trains in minutes. */
export const linfFashion = experiment({
  id: 'linf-fashion',
  title: 'Certified accuracy of a small l-infinity-distance net on Fashion-MNIST',
  claim:
    `A 784-64-10 l-infinity-distance net reaches a certified accuracy of at least ${BARS.quick} % at ` +
    `l-infinity radius ${EPS} on Fashion-MNIST (784-128-128-10 with --full: ${BARS.full} %), and no certified ` +
    'image falls to PGD (after Zhang et al., ICLR 2022).',
  flags: {
    seeds: seedCount('changes weights, order and crops'),
    full: toggle('784-128-128-10 on 60,000 images for 30 epochs'),
    ramp: choice(
      'how p grows: in powers of two, or as in the paper (the default of --full)',
      ['auto', 'staircase', 'exponential'],
      'auto',
    ),
    images: integer('training images, from the first on', null, { min: 100, max: 60_000 }),
    epochs: integer('passes over them', null, { min: 2, max: 10_000 }),
    attacked: integer('test images to attack', 1000, { min: 1, max: 10_000 }),
  },
  protocol: (values) => {
    const { sizes, images, epochs, batchSize, pEnd, ramp, lambda, lambdaEnd } = recipeWithRamp(values);
    return (
      `l-infinity-distance net of ${sizes.join('-')} on the first ${images} training images for ${epochs} ` +
      `epochs, batches of ${batchSize}, shifts by up to one pixel; pixels as (v - ${MEAN}) / ${STD}. ` +
      `Clipped hinge with training radius ${EPS_TRAIN} plus lambda (${lambda} to ${lambdaEnd}) times ` +
      'cross-entropy of the scaled outputs; Adam (0.9, 0.99, 1e-10), rate 0.03 (0.006 for the scale), half a ' +
      'cosine. ' +
      `p is 8 for 7 % of the steps, grows to ${pEnd} ` +
      `(${ramp === 'staircase' ? 'in powers of two' : 'exponentially'}) until 90 %, then is infinite. ` +
      `Certified: half the margin of the outputs on the 10,000 test images, less rounding, exceeds ${EPS}; ` +
      `PGD of 20 steps on the first ${values.attacked}. ${count(values.seeds, 'seed')}.`
    );
  },
  datasets: () => ['fashion-mnist'],
  job: async (options, context) => {
    const images = context.datasets[0]!;
    const [train, test] = [take(images.train, recipeWithRamp(options).images), images.test].map((data) =>
      normalizeChannels(data, { mean: [MEAN], std: [STD] }),
    ) as [Dataset, Dataset];
    const runs: LinfFashionRun[] = [];
    for (let seed = 0; seed < options.seeds; seed++) {
      const run = await runOnce(seed, train, test, options, context);
      runs.push(run);
      say(
        context,
        `seed ${seed}: accuracy ${percent(run.accuracy)} %, certified ${percent(run.certified)} %; of ` +
          `${run.attacked}: PGD ${percent(run.pgd)} %, certified ${percent(run.certifiedOfAttacked)} %, ` +
          `${run.violations} violations (${run.seconds.toFixed(0)} s)`,
      );
    }
    return runs;
  },
  judge,
});

async function runOnce(
  seed: number,
  train: Dataset,
  test: Dataset,
  options: LinfFashionOptions,
  context: Context,
): Promise<LinfFashionRun> {
  const { sizes, epochs, batchSize, pEnd, ramp, lambda, lambdaEnd } = recipeWithRamp(options);
  const net = linfDistMlp(sizes, { p: 8 }).init({ seed });
  // Adam moves every number alike: a fifth of a number that starts at 5 has a fifth of the rate.
  net.scale.write([5]);
  const loss = linfMargin({ epsTrain: EPS_TRAIN / STD, lambda, scale: () => mul(net.scale, 0.2) });
  const objective: Objective = ({ x, y, forward, random }) => loss(forward(shifted(x, random, -MEAN / STD)), y);
  const schedule = linfSchedule({
    pStartEpoch: 0.07 * epochs,
    pEndEpoch: 0.9 * epochs,
    pEnd,
    ramp,
    lambda,
    lambdaEnd,
    apply: ({ p, lambda }) => {
      net.power.set(p);
      loss.set({ lambda });
    },
  });
  const power = (): string => `, p ${net.power.value.toFixed(0)}`;
  try {
    const { seconds } = await fit(net, train, {
      objective,
      optimizer: adam({ lr: 0.03, betas: [0.9, 0.99], eps: 1e-10 }),
      schedule,
      epochs,
      batchSize,
      seed,
      signal: context.signal,
      onStep: report(context, `seed ${seed}`, train.y.length, { epochs, batchSize }, power),
    });
    return {
      seed,
      protocol: options.full ? 'full' : 'quick',
      ...(await evaluateNet(net, test, options.attacked, context.signal)),
      seconds,
    };
  } finally {
    loss.dispose();
    net.dispose();
  }
}

/** Clean, certified and attacked accuracy. */
async function evaluateNet(
  net: LinfDistNet,
  test: Dataset,
  count: number,
  signal: AbortSignal,
): Promise<Omit<LinfFashionRun, 'seed' | 'protocol' | 'seconds'>> {
  // A run of very few steps may end before the ramp does.
  net.power.set(Infinity);
  const { labels, radii } = await certifyMargin(net, test.x, { signal });
  const right = Array.from(test.y, (y, i) => labels[i] === y);
  const certified = right.map((ok, i) => ok && radii[i]! * STD > EPS);
  const attacked = Math.min(count, test.y.length);
  const survives: boolean[] = [];
  for (let start = 0; start < attacked; start += 500) {
    const part = take(test, Math.min(500, attacked - start), start);
    const [x, y] = [tensor(part.x), tensor(part.y, { dtype: 'i32' })];
    const clip = [-MEAN / STD, (1 - MEAN) / STD] as const;
    const found = await pgd(net, x, y, { eps: EPS / STD, start: 'normal', clip, signal });
    const classes = argmaxRows(await net.logits(found));
    part.y.forEach((label, i) => survives.push(classes[i] === label && right[start + i]!));
    for (const t of [x, y, found]) t.dispose();
  }
  const share = (flags: readonly boolean[]): number => flags.filter(Boolean).length / flags.length;
  return {
    accuracy: share(right),
    certified: share(certified),
    attacked,
    pgd: share(survives),
    certifiedOfAttacked: share(certified.slice(0, attacked)),
    violations: survives.filter((ok, i) => certified[i] && !ok).length,
  };
}

/** The claim holds when the mean certified accuracy reaches its bar and nothing certified fell to an attack. */
export function judge(runs: readonly LinfFashionRun[]): Verdict {
  const of = (name: 'accuracy' | 'certified' | 'pgd' | 'certifiedOfAttacked'): number[] => runs.map((run) => run[name]);
  const shown = (name: Parameters<typeof of>[0]): string => percentWithDeviation(of(name));
  const bar = BARS[runs[0]?.protocol ?? 'quick'];
  const violations = runs.reduce((sum, run) => sum + run.violations, 0);
  const certified = meanAndDeviation(of('certified'));
  const checks = new Checks(runs);
  if (runs.length > 0) {
    const part = [shown('pgd'), shown('certifiedOfAttacked'), String(violations)];
    const isReached = 100 * certified.mean >= bar && violations === 0;
    checks.add([shown('accuracy'), shown('certified'), `>= ${bar}`, ...part], isReached);
  }
  const [accuracy, pgd] = [meanAndDeviation(of('accuracy')), meanAndDeviation(of('pgd'))];
  const part = ['PGD, % (part)', 'certified, % (same part)', 'violations'];
  const head = ['accuracy, %', `certified at ${EPS}, %`, 'asked', ...part, 'holds'];
  return {
    result: { certified, accuracy, pgd, bar, violations, seeds: runs.length },
    holds: checks.holds,
    table: { head, rows: checks.rows },
  };
}
