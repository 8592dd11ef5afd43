import { NdArray } from 'evenkeel';
import { perClassAccuracy } from 'evenkeel/metrics';
import { key, splitKey } from 'evenkeel/random';
import { linearHead } from 'evenkeel/train';
import { count, experiment, say, seedCount, type Verdict } from './lib/experiment.ts';
import {
  costSensitive,
  exactErrors,
  hardMargin,
  hardMarginThroughOrigin,
  oneMinusCosine,
  type HalfSpace,
} from './lib/hard-margin.ts';
import { Checks, meanAndDeviation, meanOf, withDeviation } from './lib/statistics.ts';
import { CLASS_LOSSES, descendBinary, fitClasses, type BinaryMethod } from './lib/vs-gmm-descent.ts';
import { classProblems, halves } from './lib/vs-gmm-draws.ts';
import { NEAR, REFERENCE, type Part } from './lib/vs-gmm-reference.ts';

/** Problems that one seed averages: of the margins, of the descents, of the ten classes. */
const [MARGIN_DRAWS, DESCENT_DRAWS, CLASS_DRAWS] = [10, 10, 3];
/** Distance of the class means from the origin. */
const MEAN = 2;
const DELTAS = [1, 2, 3, 4, 6, 8] as const;
/** The constant feature: a bias that hardly counts in the norm. */
const CONSTANT = 5;
const COUNTS = [500, 299, 179, 107, 64, 38, 23, 13, 8, 5];
const [WIDTH, TEST_ROWS] = [16, 500];
const RARE = 7;

const METHODS: Readonly<Record<string, BinaryMethod>> = {
  CE: { omega: [1, 1], iota: [0, 0], delta: [1, 1] },
  wCE: { omega: [10, 1 / 0.9], iota: [0, 0], delta: [1, 1] },
  LA: { omega: [1, 1], iota: [-Math.log(0.1), -Math.log(0.9)], delta: [1, 1] },
  CDT: { omega: [1, 1], iota: [0, 0], delta: [1 / 3, 1] },
  VS: { omega: [1, 1], iota: [-Math.log(0.1), -Math.log(0.9)], delta: [1 / 3, 1] },
};

/** What one problem, or the mean over those of a seed, gives. */
type Figures = {
  /** Balanced error; of the ten classes balanced accuracy. */
  value: number;
  /** Error of the rare class; accuracy of the classes from RARE on. */
  rare: number;
  /** Margins: difference of the errors of the two classes. Descents: 1 - cos to the machine that it should end at. */
  gap: number;
};
/** Means over the problems of a seed. */
export type GmmRun = { seed: number; part: Part; method: string } & Figures;

/** Gaussian classes on which a linear model may separate the data or not; Kini et al., NeurIPS 2021. */
export const vsGmm = experiment({
  id: 'vs-gmm',
  title: 'VS loss on Gaussian classes',
  claim:
    'Separable data: cross-entropy, weights and shifts all end at the hard-margin machine, factors at the ' +
    'cost-sensitive one, whose balanced error is less than half; early, factors alone do harm and shifts ' +
    'repair it. ' +
    'Data that cannot be separated: shifts gain most, factors on top of them go too far. Figures are those ' +
    'of an independent program.',
  flags: {
    seeds: seedCount(`averages ${MARGIN_DRAWS} separable problems of each kind and ${CLASS_DRAWS} of ten classes`),
  },
  protocol: ({ seeds }) =>
    '(a) 100 features, 8 and 72 rows of N(+-2 e1, I): hard-margin machine with a free bias in f64, margins ' +
    'delta and 1 by moving its threshold, exact errors; delta* = (1 - b) / (1 + b). ' +
    '(b) 50 features and the constant 5, 4 and 36 rows: linear models from 0 on the device, f32, full batch, ' +
    '10,000 steps of 0.02 grad L / L; also 1,000 steps of 0.05 grad L; delta = 3, shifts -log pi, weights 1 ' +
    '/ pi; the limits are solved in f64 on the same rows. ' +
    `(c) ten classes of ${COUNTS.join(' ')} rows, means N(0, .81 I) in ${WIDTH} dimensions, linear ` +
    'classifier with L2 1e-3 on its weights, 600 full-batch steps on the device (rate 0.5, Nesterov momentum ' +
    `0.97), ${TEST_ROWS} test rows a class. ` +
    `${MARGIN_DRAWS}, ${DESCENT_DRAWS} and ${CLASS_DRAWS} problems a seed, the same for every method; ` +
    `${count(seeds, 'seed')}.`,
  datasets: () => [],
  job: async ({ seeds, steps, classSteps }: { seeds: number; steps?: number; classSteps?: number }, context) => {
    const { signal } = context;
    const runs: GmmRun[] = [];
    for (let seed = 0; seed < seeds; seed++) {
      const found = [
        ...margins(seed),
        ...(await descents(seed, steps ?? 10_000, signal)),
        ...(await classes(seed, classSteps ?? 600, signal)),
      ];
      runs.push(...found);
      const line = (part: Part): string =>
        found
          .filter((run) => run.part === part)
          .map(({ method, value }) => `${method} ${value.toFixed(3)}`)
          .join(', ');
      for (const part of ['margin', 'descent', 'plain', 'classes'] as const)
        say(context, `seed ${seed}, ${part}: ${line(part)}`);
    }
    return runs;
  },
  judge,
});

function averaged(seed: number, part: Part, method: string, problems: readonly Figures[]): GmmRun {
  const of = (name: keyof Figures): number => meanOf(problems.map((figures) => figures[name]));
  return { seed, part, method, value: of('value'), rare: of('rare'), gap: of('gap') };
}

/** (a): errors of the cost-sensitive machines. */
function margins(seed: number): GmmRun[] {
  const machines = Array.from({ length: MARGIN_DRAWS }, (_, p) => {
    const { x, labels } = halves(splitKey(key(seed), p), { mean: MEAN, width: 100, counts: [8, 72] });
    const ones = labels.map(() => 1);
    return hardMargin(Float64Array.from(x), labels, ones);
  });
  const run = (method: string, deltaOf: (machine: HalfSpace) => number): GmmRun => {
    const errors = machines.map((machine) => exactErrors(costSensitive(machine, deltaOf(machine)), MEAN));
    const figures = errors.map(({ balanced, plus, minus }) => ({
      value: balanced,
      rare: plus,
      gap: Math.abs(plus - minus),
    }));
    return averaged(seed, 'margin', method, figures);
  };
  return [...DELTAS.map((delta) => run(`delta ${delta}`, () => delta)), run('delta*', ({ b }) => (1 - b) / (1 + b))];
}

/** (b): errors along the descents. */
async function descents(seed: number, steps: number, signal: AbortSignal): Promise<GmmRun[]> {
  const features = 50;
  const width = features + 1;
  const draws = Array.from({ length: DESCENT_DRAWS }, (_, p) =>
    halves(splitKey(key(seed), 1000 + p), { mean: MEAN, width: features, counts: [4, 36] }),
  );
  const { labels } = draws[0]!;
  const x = draws.map((draw) =>
    labels.flatMap((_, i) => [...draw.x.subarray(i * features, (i + 1) * features), CONSTANT]),
  );
  const limitsAt = (delta: number): Float64Array[] => {
    const margin = labels.map((y) => (y > 0 ? delta : 1));
    return x.map((own) => hardMarginThroughOrigin(Float64Array.from(own), labels, margin));
  };
  const limits = { 1: limitsAt(1), 3: limitsAt(3) };

  const run = (part: Part, method: string, delta: 1 | 3, weightOf: (p: number) => ArrayLike<number>): GmmRun => {
    const figures = limits[delta].map((limit, p) => {
      const w = Float64Array.from(weightOf(p));
      const { balanced, plus } = exactErrors({ w: w.slice(0, features), b: CONSTANT * w[features]! }, MEAN);
      return { value: balanced, rare: plus, gap: oneMinusCosine(w, limit) };
    });
    return averaged(seed, part, method, figures);
  };
  const follow = async (part: 'descent' | 'plain', at: readonly number[]): Promise<GmmRun[]> => {
    const data = { x: Float32Array.from(x.flat()), labels, draws: DESCENT_DRAWS };
    const rule = part === 'plain' ? 'plain' : 'normalised';
    const found = await descendBinary(data, Object.values(METHODS), rule, at, signal);
    return [...found].flatMap(([t, weights]) =>
      Object.entries(METHODS).map(([name, method], m) => {
        const start = (p: number): number => (p * Object.keys(METHODS).length + m) * width;
        return run(part, t === steps ? name : `${name} at ${t}`, method.delta[0] < 1 ? 3 : 1, (p) =>
          weights.subarray(start(p), start(p) + width),
        );
      }),
    );
  };
  const early = (at: readonly number[]): number[] => at.filter((t) => t < steps);
  return [
    run('descent', 'limit, delta 1', 1, (p) => limits[1][p]!),
    run('descent', 'limit, delta 3', 3, (p) => limits[3][p]!),
    ...(await follow('descent', [...early([10, 100, 1000]), steps])),
    ...(await follow('plain', early([100, 1000]))),
  ];
}

/** (c): accuracies of ten classes. */
async function classes(seed: number, steps: number, signal: AbortSignal): Promise<GmmRun[]> {
  const drawn = { draws: CLASS_DRAWS, counts: COUNTS, width: WIDTH };
  const { centres, x, tests, testLabels } = classProblems(splitKey(key(seed), 2000), drawn, {
    std: 0.9,
    rows: TEST_ROWS,
  });

  /** Test figures of linear classifiers, one a problem: weight (problems, classes, width), bias (problems, classes). */
  const run = async (method: string, weight: ArrayLike<number>, bias: ArrayLike<number>): Promise<GmmRun> => {
    const weights = new NdArray(Float32Array.from(weight), [CLASS_DRAWS, COUNTS.length, WIDTH]);
    const biases = new NdArray(Float32Array.from(bias), [CLASS_DRAWS, COUNTS.length]);
    const figures: Figures[] = [];
    for (const [p, rows] of tests.entries()) {
      using head = linearHead({ weight: weights.at(p), bias: biases.at(p).data });
      const accuracies = perClassAccuracy(await head.logits(rows), testLabels);
      figures.push({ value: meanOf(accuracies), rare: meanOf(accuracies.slice(RARE)), gap: 0 });
    }
    return averaged(seed, 'classes', method, figures);
  };
  const runs: GmmRun[] = [];
  for (const [method, lossOf] of Object.entries(CLASS_LOSSES)) {
    const { weight, bias } = await fitClasses({ x, ...drawn }, lossOf, { steps, signal });
    runs.push(await run(method, weight, bias));
    const adjusted = bias.map((b, k) => b - Math.log(COUNTS[k % COUNTS.length]!));
    if (method === 'CE') runs.push(await run('CE, post-hoc LA', weight, adjusted));
  }
  // The densities are alike but for their means m, so that the best classifier has weights m and biases -|m|^2 / 2.
  const squares = centres.flatMap((means) =>
    COUNTS.map((_, c) => means.subarray(c * WIDTH, (c + 1) * WIDTH).reduce((sum, v) => sum + v * v, 0)),
  );
  const bayes = await run(
    'Bayes',
    centres.flatMap((means) => [...means]),
    squares.map((square) => -square / 2),
  );
  return [...runs, bayes];
}

/** Holds when every mean lies near its reference and every check below does. */
export function judge(runs: readonly GmmRun[]): Verdict {
  const of = (part: Part, method: string, what: keyof Figures = 'value'): number[] =>
    runs.filter((run) => run.part === part && run.method === method).map((run) => run[what]);
  const average = (...which: Parameters<typeof of>): number => meanOf(of(...which));
  const result: Record<string, unknown> = {};
  const checks = new Checks(runs);
  for (const [part, table] of Object.entries(REFERENCE) as [Part, Record<string, number>][]) {
    for (const [method, reference] of Object.entries(table)) {
      const name = `${part}: ${method}`;
      const found = of(part, method);
      const { mean: value, sd } = meanAndDeviation(found);
      result[name] = { value, sd, reference };
      const isNear = Math.abs(value - reference) <= NEAR[part];
      checks.add([name, withDeviation(found, 3), `${reference} ± ${NEAR[part]}`], isNear);
    }
  }
  const below = (name: string, value: number, bound: number): void =>
    checks.add([name, value.toPrecision(3), `<= ${bound}`], value <= bound);
  const lead = (name: string, part: Part, better: string, worse: string, least: number): void => {
    const by = (average(part, better) - average(part, worse)) * (part === 'classes' ? 1 : -1);
    checks.add([name, by.toFixed(3), `>= ${least}`], by >= least);
  };
  below('margin: difference of the class errors at delta*', average('margin', 'delta*', 'gap'), 1e-9);
  for (const method of ['CE', 'wCE', 'LA'])
    below(`${method}: 1 - cos to the machine of delta 1`, average('descent', method, 'gap'), 1e-4);
  for (const method of ['CDT', 'VS'])
    below(`${method}: 1 - cos to the machine of delta 3`, average('descent', method, 'gap'), 1e-4);
  lead('factors in the end: VS over CE', 'descent', 'VS', 'CE', 0.08);
  lead('plain descent, 100 steps: CE over CDT', 'plain', 'CE at 100', 'CDT at 100', 0.05);
  lead('plain descent, 100 steps: VS over CDT', 'plain', 'VS at 100', 'CDT at 100', 0.05);
  lead('plain descent, 1000 steps: VS over CDT', 'plain', 'VS at 1000', 'CDT at 1000', 0.03);
  lead('classes: w = 1/n over CE', 'classes', 'w = 1/n', 'CE', 0.02);
  lead('classes: LA over w = 1/n', 'classes', 'LA', 'w = 1/n', 0.005);
  lead('classes: LA over VS (.1, 1)', 'classes', 'LA', 'VS (.1, 1)', 0.005);
  lead('classes: CE over VS (.2, 1.2)', 'classes', 'CE', 'VS (.2, 1.2)', 0.02);
  below(
    'classes: LA and post-hoc LA apart',
    Math.abs(average('classes', 'LA') - average('classes', 'CE, post-hoc LA')),
    0.003,
  );
  return { result, holds: checks.holds, table: { head: ['figure', 'found', 'asked', 'holds'], rows: checks.rows } };
}
