import { makeDataset, randomRelabelling, type Dataset } from 'evenkeel/data';
import { crossEntropyLoss } from 'evenkeel/losses';
import { accuracy, splitAccuracy } from 'evenkeel/metrics';
import { mlp } from 'evenkeel/nn';
import { cosineLr, sgd } from 'evenkeel/optim';
import { fit, selectBySusceptibility, susceptibility } from 'evenkeel/train';
import { count, experiment, integer, report, say, seedCount, toggle } from './lib/experiment.ts';
import type { Context, Verdict } from './lib/experiment.ts';
import { take } from './lib/images.ts';
import type { ProtocolOptions } from './lib/protocol.ts';
import { meanAndDeviation, withDeviation, percent, percentWithDeviation } from './lib/statistics.ts';

/** Nets by name, and zeta with its deviation by an independent NumPy program at the protocol of --full. */
const NETS = {
  'H512, 5e-3': { hidden: 512, weightDecay: 5e-3, zeta: 0.0394, deviation: 0.0016 },
  'H512, 1e-3': { hidden: 512, weightDecay: 1e-3, zeta: 0.0589, deviation: 0.0031 },
  'H512, 0': { hidden: 512, weightDecay: 0, zeta: 0.0688, deviation: 0.0033 },
  'H64, 0': { hidden: 64, weightDecay: 0, zeta: 0.0605, deviation: 0.0041 },
} as const;
type Net = keyof typeof NETS;
/** The nets whose order is claimed, from the least susceptible. */
const ORDER: readonly Net[] = ['H512, 5e-3', 'H512, 1e-3', 'H512, 0'];
const RATE = 0.5;

/** One trained net. Shares are fractions, after the last epoch. */
export type SusceptibilityRun = {
  seed: number;
  net: Net;
  protocol: 'quick' | 'full' | 'own';
  /** Mean drop over all epochs. */
  zeta: number;
  /** Wrong labels that the net predicts. */
  memorized: number;
  /** Training images that are predicted as labelled, right or wrong. */
  trainAccuracy: number;
  testAccuracy: number;
  seconds: number;
};

function recipeOf({ full, images, epochs }: Omit<ProtocolOptions, 'seeds'>) {
  return {
    train: images ?? (full ? 10_000 : 1200),
    epochs: epochs ?? 40,
    batchSize: 128,
    protocol: images !== null || epochs !== null ? 'own' : full ? 'full' : 'quick',
  } as const;
}

/** Forouzesh, Sedghi and Thiran, ICLR 2023, on small nets. */
export const susceptibilityExperiment = experiment({
  id: 'susceptibility',
  title: 'Susceptibility against memorisation of wrong labels on Fashion-MNIST',
  claim:
    'For each seed the order of susceptibility is the order of memorisation: both rise as the weight decay ' +
    'of a 784-512-10 net falls from 5e-3 to 1e-3 to 0 (after Forouzesh et al., ICLR 2023). ' +
    'With --full: every zeta within three standard deviations of a table by an independent program.',
  flags: {
    seeds: seedCount('changes noise, weights, order and probes'),
    full: toggle("the table's own protocol: 10,000 training images"),
    images: integer('training images, from the first on; as many others serve the probes', null, {
      min: 10,
      max: 30_000,
    }),
    epochs: integer('passes over them', null, { min: 1, max: 10_000 }),
  },
  protocol: (values) => {
    const { train, epochs, batchSize } = recipeOf(values);
    return (
      `784-H-10 with relu on the first ${train} training images of Fashion-MNIST; each label is drawn anew ` +
      `from all ten classes with probability ${RATE}, so that 45 % are wrong. Cross-entropy, SGD with ` +
      `momentum 0.9, rate 0.05 falling to 0 by half a cosine, batches of ${batchSize}, ${epochs} epochs. ` +
      `Before each epoch one step of the same optimiser on ${batchSize} of the next ${train} images with ` +
      'random labels, undone. ' +
      (values.full
        ? 'This is the protocol of the table. '
        : 'Fewer images than the 10,000 of the table, for software adapters: seven such sizes were tried in ' +
          'NumPy on other training images with seeds 100 to 102; --full is its own protocol. ') +
      `Accuracy on the 10,000 test images after the last epoch; ${count(values.seeds, 'seed')}.`
    );
  },
  datasets: () => ['fashion-mnist'],
  job: async (options, context) => {
    const recipe = recipeOf(options);
    const { train: all, test } = context.datasets[0]!;
    const parts = { train: take(all, recipe.train), held: take(all, recipe.train, recipe.train), test };
    const runs: SusceptibilityRun[] = [];
    for (let seed = 0; seed < options.seeds; seed++) {
      for (const net of Object.keys(NETS) as Net[]) {
        const run = await runOnce(net, seed, parts, recipe, context);
        runs.push(run);
        say(
          context,
          `seed ${seed}, ${net}: zeta ${run.zeta.toFixed(4)}, ${percent(run.memorized)} % of the wrong ` +
            `labels fitted, training accuracy ${percent(run.trainAccuracy)} %, test accuracy ` +
            `${percent(run.testAccuracy)} % (${run.seconds.toFixed(0)} s)`,
        );
      }
    }
    return runs;
  },
  judge,
});

async function runOnce(
  net: Net,
  seed: number,
  { train, held, test }: { train: Dataset; held: Dataset; test: Dataset },
  { epochs, batchSize, protocol }: ReturnType<typeof recipeOf>,
  context: Context,
): Promise<SusceptibilityRun> {
  const { hidden, weightDecay } = NETS[net];
  const noisy = makeDataset(train.x, randomRelabelling(train, { rate: RATE, seed }).y, train);
  const probe = susceptibility(held, { batchSize, seed });
  const model = mlp(784, hidden, train.numClasses).init({ seed });
  const loss = crossEntropyLoss();
  try {
    const { seconds } = await fit(model, noisy, {
      loss,
      optimizer: sgd({ lr: 0.05, momentum: 0.9, weightDecay }),
      schedule: cosineLr({ by: 'step' }),
      epochs,
      batchSize,
      seed,
      probe,
      signal: context.signal,
      onStep: report(context, `seed ${seed} ${net}`, train.y.length, { epochs, batchSize }),
    });
    const split = splitAccuracy(await model.logits(train.x), noisy.y, train.y);
    return {
      seed,
      net,
      protocol,
      zeta: probe.zeta,
      memorized: split.noisy ?? 0,
      trainAccuracy: split.all,
      testAccuracy: accuracy(await model.logits(test.x), test.y),
      seconds,
    };
  } finally {
    loss.dispose();
    model.dispose();
  }
}

/**
 * Holds when zeta and the share of fitted wrong labels rise along {@link ORDER} for every seed, and zeta is that of the
 * table where its own protocol was run.
 */
export function judge(runs: readonly SusceptibilityRun[]): Verdict {
  const nets = Object.keys(NETS) as Net[];
  const of = (net: Net, key: 'zeta' | 'memorized' | 'trainAccuracy' | 'testAccuracy'): number[] =>
    runs.filter((run) => run.net === net).map((run) => run[key]);
  const seeds = [...new Set(runs.map((run) => run.seed))];
  const isRising = (seed: number, key: 'zeta' | 'memorized'): boolean => {
    const values = ORDER.map((net) => runs.find((run) => run.seed === seed && run.net === net)?.[key] ?? NaN);
    return values.every((v, i) => i === 0 || values[i - 1]! < v);
  };
  const order = Object.fromEntries(
    seeds.map((seed) => [seed, { zeta: isRising(seed, 'zeta'), memorized: isRising(seed, 'memorized') }]),
  );
  const isFull = runs.length > 0 && runs.every((run) => run.protocol === 'full');
  const near = nets.map(
    (net) => !isFull || Math.abs(meanAndDeviation(of(net, 'zeta')).mean - NETS[net].zeta) <= 3 * NETS[net].deviation,
  );
  const holds =
    seeds.length > 0 && Object.values(order).every(({ zeta, memorized }) => zeta && memorized) && near.every(Boolean);
  const means = nets.map((net) => ({
    zeta: meanAndDeviation(of(net, 'zeta')).mean,
    accuracy: meanAndDeviation(of(net, 'trainAccuracy')).mean,
  }));
  const regions = means.every(({ zeta }) => Number.isFinite(zeta)) ? selectBySusceptibility(means).regions : [];
  return {
    result: {
      order,
      nets: Object.fromEntries(
        nets.map((net, i) => [
          net,
          {
            ...Object.fromEntries(
              (['zeta', 'memorized', 'trainAccuracy', 'testAccuracy'] as const).map((key) => [
                key,
                meanAndDeviation(of(net, key)),
              ]),
            ),
            region: regions[i] ?? null,
            ...(isFull && { table: NETS[net].zeta, holds: near[i] }),
          },
        ]),
      ),
    },
    holds,
    table: {
      head: [
        'net, weight decay',
        'zeta',
        'wrong labels fitted, %',
        'training accuracy, %',
        'test accuracy, %',
        'region',
      ],
      rows: [
        ...nets.map((net, i) => [
          net,
          withDeviation(of(net, 'zeta'), 4) + (isFull ? ` (table ${NETS[net].zeta}: ${near[i] ? 'yes' : 'no'})` : ''),
          ...(['memorized', 'trainAccuracy', 'testAccuracy'] as const).map((key) => percentWithDeviation(of(net, key))),
          String(regions[i] ?? ''),
        ]),
        [
          'order holds in',
          `${seeds.filter((s) => order[s]!.zeta).length} of ${seeds.length} seeds`,
          `${seeds.filter((s) => order[s]!.memorized).length} of ${seeds.length} seeds`,
          '',
          '',
          '',
        ],
      ],
    },
  };
}
