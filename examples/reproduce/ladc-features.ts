import {
  classStatistics,
  ladc,
  logisticRegression,
  nearestMeans,
  type ClassStatistics,
  type Gaussians,
  type LinearClassifier,
} from 'evenkeel/stats';
import { makeDataset, type Dataset } from 'evenkeel/data';
import { NdArray } from 'evenkeel';
import { enrich } from 'evenkeel/train';
import { hostNormal, key, splitKey } from 'evenkeel/random';
import { count, experiment, say, seedCount, type Verdict } from './lib/experiment.ts';
import { meanAndDeviation, percentWithDeviation } from './lib/statistics.ts';

const WIDTH = 20;
const RANK = 4;
const HEADS = [0, 1, 2];
const TAILS = [3, 4, 5];
const [HEAD_ROWS, TAIL_ROWS, TEST_ROWS] = [300, 5, 500];
/** Problems whose accuracies one seed averages. */
const PROBLEMS = 7;
/** Largest accepted distance of a balanced accuracy from the reference. */
const NEAR = 0.03;

/** Balanced accuracies that an independent NumPy program found over 20 problems, in the order that they must have. */
const REFERENCE = {
  ce: 0.626,
  'free-lunch-2': 0.67,
  oversampling: 0.763,
  'logit-adjustment': 0.847,
  'covariance-transfer': 0.856,
  'free-lunch-1': 0.864,
} as const;
type FeatureMethod = keyof typeof REFERENCE;
const TITLES: Readonly<Record<FeatureMethod, string>> = {
  ce: 'CE',
  'free-lunch-2': 'nearest two head classes (k = 2)',
  oversampling: 'oversampling',
  'logit-adjustment': 'CE, post-hoc logit adjustment',
  'covariance-transfer': "own mean, nearest head's covariance",
  'free-lunch-1': 'nearest head class (k = 1)',
};

/** Means over the problems of a seed: accuracies on head and tail classes, and over all. */
export type FeatureRun = { seed: number; method: FeatureMethod; head: number; tail: number; balancedAccuracy: number };

/**
 * Statistics of head classes lent to tail classes of five features each; Yang et al., ICLR 2021, and LADC, TNNLS 2022.
 */
export const ladcFeatures = experiment({
  id: 'ladc-features',
  title: 'Calibrated feature statistics for classes of five samples',
  claim:
    `Balanced accuracy rises in the order ${Object.values(TITLES).join(' < ')} (the last two may tie), each ` +
    `within ${NEAR} of an independent program's figures: ${Object.values(REFERENCE).join(', ')}.`,
  flags: { seeds: seedCount(`averages ${PROBLEMS} problems`) },
  protocol: ({ seeds }) =>
    `${WIDTH} features; three head classes of ${HEAD_ROWS} rows with means 1.2 N(0, I), three tail classes ` +
    `of ${TAIL_ROWS} whose means are those of a head class plus .55 N(0, I); the pair shares the covariance ` +
    `A A' + .5 I, ` +
    `A ${WIDTH} x ${RANK} with entries .6 N(0, 1). Tail classes are filled up to ${HEAD_ROWS} rows by draws ` +
    `on the device; logistic regression with L2 penalty 1 and a free bias; ${TEST_ROWS} test rows a class; ` +
    `${PROBLEMS} problems a seed, ${count(seeds, 'seed')}.`,
  datasets: () => [],
  job: async ({ seeds }: { seeds: number }, context) => {
    const runs: FeatureRun[] = [];
    for (let seed = 0; seed < seeds; seed++) {
      const found = new Map<FeatureMethod, { head: number; tail: number }[]>();
      for (let p = 0; p < PROBLEMS; p++) {
        for (const [method, accuracy] of await solve(seed * PROBLEMS + p))
          found.set(method, [...(found.get(method) ?? []), accuracy]);
        context.signal.throwIfAborted();
      }
      for (const [method, list] of found) {
        const mean = (part: 'head' | 'tail'): number => list.reduce((sum, a) => sum + a[part], 0) / list.length;
        const [head, tail] = [mean('head'), mean('tail')];
        runs.push({ seed, method, head, tail, balancedAccuracy: (head + tail) / 2 });
        say(
          context,
          `seed ${seed}, ${TITLES[method]}: head ${head.toFixed(3)}, tail ${tail.toFixed(3)}, balanced ` +
            `${((head + tail) / 2).toFixed(3)}`,
        );
      }
    }
    return runs;
  },
  judge,
});

/** One problem by every method. */
async function solve(number: number): Promise<Map<FeatureMethod, { head: number; tail: number }>> {
  const { train, test } = problem(number);
  const statistics = classStatistics(train.x, train.y, 6);
  const tailRows = Array.from(train.y.keys()).filter((i) => train.y[i]! >= HEADS.length);
  const points = { data: tailRows.flatMap((i) => Array.from(train.x.at(i).data)), shape: [tailRows.length, WIDTH] };
  const base = headsOf(statistics);
  const drawn = async (gaussians: Gaussians, classes: readonly number[]): Promise<LinearClassifier> =>
    regress((await enrich(train, gaussians, classes, { seed: number })).data);
  const ofPoints = tailRows.map((i) => train.y[i]!);
  const plain = regress(train);
  const counts = train.classCounts;
  const transfer = ladc(statistics, { head: HEADS, tail: TAILS, m: 1, nu: 1e9, alpha: 0, keepMean: true });
  const classifiers: Record<FeatureMethod, LinearClassifier> = {
    ce: plain,
    'free-lunch-2': await drawn(nearestMeans(base, points, { k: 2, alpha: 0 }), ofPoints),
    oversampling: regress(
      train,
      Float64Array.from(train.y, (c) => HEAD_ROWS / counts[c]!),
    ),
    'logit-adjustment': { ...plain, bias: plain.bias.map((b, c) => b - Math.log(counts[c]!)) },
    'covariance-transfer': await drawn(transfer, TAILS),
    'free-lunch-1': await drawn(nearestMeans(base, points, { k: 1, alpha: 0 }), ofPoints),
  };
  return new Map(
    Object.entries(classifiers).map(([method, classifier]) => [method as FeatureMethod, accuracyOf(classifier, test)]),
  );
}

/** Training and test rows; class 3 + h lies near head class h. */
function problem(number: number): { train: Dataset; test: Dataset } {
  // Apart from the draws that fill the tail classes up.
  const root = splitKey(key(number), 2 ** 31);
  let stream = 0;
  const draws = (rows: number, width: number, std: number): Float32Array =>
    hostNormal(rows, width, root, { std, stream: stream++ });
  const means = HEADS.map(() => draws(1, WIDTH, 1.2));
  const spreads = HEADS.map(() => draws(WIDTH, RANK, 0.6));
  const centres = [...means, ...means.map((mean) => draws(1, WIDTH, 0.55).map((v, i) => v + mean[i]!))];
  const rowsOf = (rows: (c: number) => number): Dataset => {
    const labels: number[] = [];
    const values: number[] = [];
    for (let c = 0; c < centres.length; c++) {
      const n = rows(c);
      const spread = spreads[c % HEADS.length]!;
      const [common, own] = [draws(n, RANK, 1), draws(n, WIDTH, Math.sqrt(0.5))];
      for (let r = 0; r < n; r++) {
        labels.push(c);
        for (let i = 0; i < WIDTH; i++) {
          let v = centres[c]![i]! + own[r * WIDTH + i]!;
          for (let k = 0; k < RANK; k++) v += spread[i * RANK + k]! * common[r * RANK + k]!;
          values.push(v);
        }
      }
    }
    return makeDataset(new NdArray(Float32Array.from(values), [labels.length, WIDTH]), labels, {
      numClasses: centres.length,
    });
  };
  return { train: rowsOf((c) => (c < HEADS.length ? HEAD_ROWS : TAIL_ROWS)), test: rowsOf(() => TEST_ROWS) };
}

/** The statistics of the head classes alone. */
function headsOf({ width, counts, means, covariances, isDiagonal }: ClassStatistics): ClassStatistics {
  const n = HEADS.length;
  return {
    classes: n,
    width,
    counts: counts.slice(0, n),
    means: means.slice(0, n * width),
    covariances: covariances.slice(0, n * width * width),
    isDiagonal,
  };
}

function regress(data: Dataset, sampleWeight?: Float64Array): LinearClassifier {
  return logisticRegression(data.x, data.y, data.numClasses, { l2: 1, ...(sampleWeight && { sampleWeight }) });
}

function accuracyOf({ weight, bias }: LinearClassifier, { x, y }: Dataset): { head: number; tail: number } {
  const right = new Array<number>(bias.length).fill(0);
  for (let r = 0; r < y.length; r++) {
    let best = -Infinity;
    let label = 0;
    for (let c = 0; c < bias.length; c++) {
      let z = bias[c]!;
      for (let i = 0; i < WIDTH; i++) z += weight[c * WIDTH + i]! * x.data[r * WIDTH + i]!;
      if (z > best) [best, label] = [z, c];
    }
    if (label === y[r]) right[label]!++;
  }
  const mean = (classes: readonly number[]): number =>
    classes.reduce((sum, c) => sum + right[c]!, 0) / classes.length / TEST_ROWS;
  return { head: mean(HEADS), tail: mean(TAILS) };
}

/** Holds when the mean balanced accuracies have the order of the reference and lie near it. */
export function judge(runs: readonly FeatureRun[]): Verdict {
  const methods = Object.keys(REFERENCE) as FeatureMethod[];
  const of = (method: FeatureMethod, value: 'head' | 'tail' | 'balancedAccuracy'): number[] =>
    runs.filter((run) => run.method === method).map((run) => run[value]);
  const means = methods.map((method) => meanAndDeviation(of(method, 'balancedAccuracy')).mean);
  const isOrdered = means.every(
    (mean, i) => i === 0 || mean > means[i - 1]! || (i === methods.length - 1 && mean >= means[i - 1]! - 0.01),
  );
  const isNear = methods.map((method, i) => Math.abs(means[i]! - REFERENCE[method]) <= NEAR);
  const holds = runs.length > 0 && isOrdered && isNear.every(Boolean);
  return {
    result: {
      ordered: isOrdered,
      ...Object.fromEntries(
        methods.map((method, i) => [
          method,
          { balanced: meanAndDeviation(of(method, 'balancedAccuracy')), reference: REFERENCE[method], near: isNear[i] },
        ]),
      ),
    },
    holds,
    table: {
      head: ['method', 'head, %', 'tail, %', 'balanced, %', 'reference', 'near'],
      rows: methods.map((method, i) => [
        TITLES[method],
        ...(['head', 'tail', 'balancedAccuracy'] as const).map((v) => percentWithDeviation(of(method, v))),
        (100 * REFERENCE[method]).toFixed(1),
        isNear[i] ? 'yes' : 'no',
      ]),
    },
  };
}
