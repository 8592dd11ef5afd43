import { count, experiment, integer, list, say, seedCount, text, toggle } from './experiment.ts';
import type { Experiment, Verdict } from './experiment.ts';
import {
  HIDDEN,
  lateEpoch,
  longTailParts,
  longTailRecipe,
  MOMENTUM,
  scoredEvery,
  trainLongTailed,
} from './long-tail.ts';
import type { LongTailMethod, LongTailRecipe, LongTailRun } from './long-tail.ts';
import { judgePaired, percent, type Comparison, type PairedRun } from './statistics.ts';

/** Options of the jobs. */
export interface LongTailOptions {
  full: boolean;
  seeds: number;
  epochs: number | null;
  methods: readonly string[];
}

/** What one experiment adds to the shared runner. */
export interface LongTailDefinition<M extends string> {
  id: string;
  title: string;
  claim: string;
  methods: Readonly<Record<M, LongTailMethod>>;
  /** Settings of the methods and where they come from, one or more sentences. */
  settings(full: boolean): string;
  /** What the claim asks for. */
  asked: readonly (Comparison & { baseline: M; method: M })[];
  /** Comparisons that are shown too and do not count. */
  secondary?: readonly (Omit<Comparison, 'margin'> & { baseline: M; method: M })[];
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
  secondary = [],
  held,
  ...own
}: LongTailDefinition<M>): Experiment {
  const names = Object.keys(methods) as M[];
  return experiment({
    id,
    title,
    claim,
    flags: {
      seeds: seedCount('changes data, weights and order'),
      methods: list('methods to train', names, names),
      epochs: integer('passes over the training images', null, { min: 2, max: 10_000 }),
      full: toggle('ResNet-32 on long-tailed CIFAR-10 with the published schedule'),
      data: text('folder of the binary version of CIFAR-10, for --full', 'DIR', null),
    },
    protocol: ({ seeds, full, epochs }) => {
      const validation = full ? held?.full : held?.quick;
      const recipe = longTailRecipe({ full, epochs }, own);
      const every = scoredEvery(recipe, full);
      return (
        `${describeRecipe(recipe, full)} ${settings(full)} ` +
        `${validation ? `${validation} further training images of each class are the validation images. ` : ''}` +
        'Official balanced test set after the last epoch, and also after the best of ' +
        `${every === 1 ? 'all' : `every ${every}th`}; ${count(seeds, 'seed')}, paired.`
      );
    },
    datasets: (values) => [longTailSource(values)],
    options: ({ seeds, methods: chosen, epochs, full }): LongTailOptions => ({ seeds, methods: chosen, epochs, full }),
    job: async ({ seeds, methods: chosen, epochs, full }: LongTailOptions, context): Promise<LongTailRun[]> => {
      const recipe = longTailRecipe({ full, epochs }, own);
      const runs: LongTailRun[] = [];
      for (const images of context.datasets) {
        for (let seed = 0; seed < seeds; seed++) {
          const parts = longTailParts(images, { held: (full ? held?.full : held?.quick) ?? 0, seed });
          for (const method of chosen) {
            const run = await trainLongTailed({ seed, method }, methods[method as M], parts, full, recipe, context);
            runs.push(run);
            say(context, describeRun(run));
          }
        }
      }
      return runs;
    },
    judge: (runs: readonly LongTailRun[]) => judgeLongTail(runs, asked, secondary),
  });
}

/**
 * The source of the images: Fashion-MNIST, with --full the folder that --data names. Throws when the two do not
 * fit.
 */
export function longTailSource({ full, data }: { full: boolean; data: string | null }): string {
  if (full && data === null)
    throw new RangeError('--full needs --data DIR, the folder of the binary version of CIFAR-10');
  if (!full && data !== null)
    throw new RangeError('--data is the folder of CIFAR-10 for --full, expected both or neither');
  return full ? `cifar10:${data}` : 'fashion-mnist';
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
 * The claim at the last epoch, and comparisons that do not count for it: those given, and the claim at the
 * best test epoch of each run.
 */
export function judgeLongTail(
  runs: readonly PairedRun[],
  asked: readonly Comparison[],
  secondary: readonly Omit<Comparison, 'margin'>[] = [],
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
  for (const comparison of [...secondary, ...selected].filter(
    ({ baseline, method }) => isRun(baseline) && isRun(method),
  )) {
    const { baseline, method, label } = comparison;
    const shown = judgePaired(runs, [{ ...comparison, margin: 0 }]);
    for (const [dataset, value] of Object.entries(shown.result)) {
      const { [baseline]: base, [method]: ours, difference, seeds } = value as Record<string, unknown>;
      verdict.result[`${dataset}: ${label}, ${method} against ${baseline} (secondary)`] = {
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
