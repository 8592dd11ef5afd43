import { hostNormal, key, splitKey, type Key } from 'evenkeel/random';
import { count, experiment, say, seedCount, type Verdict } from './lib/experiment.ts';
import {
  costSensitive,
  exactErrors,
  hardMargin,
  hardMarginThroughOrigin,
  oneMinusCosine,
  type HalfSpace,
} from './lib/hard-margin.ts';
import { meanAndDeviation, withDeviation } from './lib/statistics.ts';
import { CLASS_LOSSES, descendBinary, fitClasses, type BinaryMethod } from './lib/vs-gmm-descent.ts';

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

/** Figures of an independent NumPy program: 30 problems (margins), 5 (descents), 10 (classes). */
export const REFERENCE: Readonly<Record<Part, Readonly<Record<string, number>>>> = {
  margin: {
    'delta 1': 0.222,
    'delta 2': 0.115,
    'delta 3': 0.093,
    'delta 4': 0.093,
    'delta 6': 0.105,
    'delta 8': 0.116,
    'delta*': 0.0891,
  },
  descent: { CE: 0.21, wCE: 0.21, LA: 0.21, CDT: 0.086, VS: 0.086 },
  plain: {},
  classes: {
    CE: 0.813,
    'w = 1/n': 0.865,
    'CB .9999': 0.865,
    'CB .99': 0.857,
    LA: 0.888,
    'CE, post-hoc LA': 0.888,
    'CDT .2': 0.884,
    'VS (.1, 1)': 0.868,
    'VS (.2, 1.2)': 0.762,
    Bayes: 0.927,
  },
};
/**
 * Largest accepted distance from the reference, about two standard errors of the difference: the draws are others.
 * Reference means of 30, 5 and 10 problems have standard errors up to .011, .03 and .013.
 */
const NEAR: Readonly<Record<Part, number>> = { margin: 0.03, descent: 0.03, plain: 0, classes: 0.04 };

type Part = 'margin' | 'descent' | 'plain' | 'classes';
/** Mean over the problems of a seed. `value`: balanced error, for the classes balanced accuracy; `gap`: see `judge`. */
export type GmmRun = { seed: number; part: Part; method: string; value: number; rare: number; gap: number };

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
  options: ({ seeds }) => ({ seeds }),
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

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** Rows of N(+-2 e1, I), the rare class first. */
function separable(root: Key, width: number, plus: number, minus: number): { x: Float32Array; labels: number[] } {
  const labels = Array.from({ length: plus + minus }, (_, i) => (i < plus ? 1 : -1));
  const x = hostNormal(labels.length, width, root);
  labels.forEach((y, i) => (x[i * width]! += MEAN * y));
  return { x, labels };
}

/** (a): errors of the cost-sensitive machines. */
function margins(seed: number): GmmRun[] {
  const found = new Map<string, { balanced: number; plus: number; gap: number }[]>();
  for (let p = 0; p < MARGIN_DRAWS; p++) {
    const { x, labels } = separable(splitKey(key(seed), p), 100, 8, 72);
    const plain = hardMargin(
      Float64Array.from(x),
      labels,
      labels.map(() => 1),
    );
    for (const [name, delta] of [
      ...DELTAS.map((d) => [`delta ${d}`, d] as const),
      ['delta*', (1 - plain.b) / (1 + plain.b)] as const,
    ]) {
      const { balanced, plus, minus } = exactErrors(costSensitive(plain, delta), MEAN);
      found.set(name, [...(found.get(name) ?? []), { balanced, plus, gap: Math.abs(plus - minus) }]);
    }
  }
  return [...found].map(([method, list]) => ({
    seed,
    part: 'margin',
    method,
    value: mean(list.map((e) => e.balanced)),
    rare: mean(list.map((e) => e.plus)),
    gap: mean(list.map((e) => e.gap)),
  }));
}

/** (b): errors along the descents. */
async function descents(seed: number, steps: number, signal: AbortSignal): Promise<GmmRun[]> {
  const [features, rows] = [50, 40];
  const width = features + 1;
  const x = new Float32Array(DESCENT_DRAWS * rows * width);
  let labels: number[] = [];
  const limits: Float64Array[][] = [];
  for (let p = 0; p < DESCENT_DRAWS; p++) {
    const drawn = separable(splitKey(key(seed), 1000 + p), features, 4, 36);
    labels = drawn.labels;
    const own = x.subarray(p * rows * width, (p + 1) * rows * width);
    for (let i = 0; i < rows; i++)
      own.set([...drawn.x.subarray(i * features, (i + 1) * features), CONSTANT], i * width);
    limits.push(
      [1, 3].map((delta) =>
        hardMarginThroughOrigin(
          Float64Array.from(own),
          labels,
          labels.map((y) => (y > 0 ? delta : 1)),
        ),
      ),
    );
  }
  const halfSpace = (w: ArrayLike<number>): HalfSpace => ({
    w: Float64Array.from(w).slice(0, features),
    b: CONSTANT * w[features]!,
  });
  const runs: GmmRun[] = [];
  const push = (part: Part, method: string, of: (p: number) => ArrayLike<number>, limit: 0 | 1): void => {
    const errors = limits.map((_, p) => exactErrors(halfSpace(of(p)), MEAN));
    runs.push({
      seed,
      part,
      method,
      value: mean(errors.map((e) => e.balanced)),
      rare: mean(errors.map((e) => e.plus)),
      gap: mean(limits.map((l, p) => oneMinusCosine(of(p), l[limit]!))),
    });
  };
  push('descent', 'limit, delta 1', (p) => limits[p]![0]!, 0);
  push('descent', 'limit, delta 3', (p) => limits[p]![1]!, 1);
  const names = Object.keys(METHODS);
  const follow = async (part: 'descent' | 'plain', at: readonly number[]): Promise<void> => {
    const weights = await descendBinary(
      { x, labels, draws: DESCENT_DRAWS },
      Object.values(METHODS),
      part === 'plain' ? 'plain' : 'normalised',
      at,
      signal,
    );
    for (const [t, all] of weights) {
      names.forEach((name, m) =>
        push(
          part,
          t === steps ? name : `${name} at ${t}`,
          (p) => all.subarray((p * names.length + m) * width, (p * names.length + m + 1) * width),
          METHODS[name]!.delta[0] < 1 ? 1 : 0,
        ),
      );
    }
  };
  await follow('descent', [10, 100, 1000].filter((t) => t < steps).concat(steps));
  await follow(
    'plain',
    [100, 1000].filter((t) => t < steps),
  );
  return runs;
}

/** (c): accuracies of ten classes. */
async function classes(seed: number, steps: number, signal: AbortSignal): Promise<GmmRun[]> {
  const root = splitKey(key(seed), 2000);
  const centres = Array.from({ length: CLASS_DRAWS }, (_, p) =>
    hostNormal(COUNTS.length, WIDTH, splitKey(root, 3 * p), { std: 0.9 }),
  );
  const draw = (p: number, counts: readonly number[], stream: number): Float32Array => {
    const labels = counts.flatMap((n, c) => new Array<number>(n).fill(c));
    return hostNormal(labels.length, WIDTH, splitKey(root, stream)).map(
      (v, k) => v + centres[p]![labels[Math.floor(k / WIDTH)]! * WIDTH + (k % WIDTH)]!,
    );
  };
  const x = Float32Array.from(centres.flatMap((_, p) => [...draw(p, COUNTS, 3 * p + 1)]));
  const test = centres.map((_, p) =>
    draw(
      p,
      COUNTS.map(() => TEST_ROWS),
      3 * p + 2,
    ),
  );
  const runs: GmmRun[] = [];
  const push = (method: string, weight: ArrayLike<number>, bias: ArrayLike<number>): void => {
    const accuracies = test.map((rows, p) =>
      perClass(rows, Array.from(weight).slice(p * COUNTS.length * WIDTH), Array.from(bias).slice(p * COUNTS.length)),
    );
    runs.push({
      seed,
      part: 'classes',
      method,
      value: mean(accuracies.map(mean)),
      rare: mean(accuracies.map((a) => mean(a.slice(RARE)))),
      gap: 0,
    });
  };
  for (const [method, make] of Object.entries(CLASS_LOSSES)) {
    const { weight, bias } = await fitClasses({ x, counts: COUNTS, draws: CLASS_DRAWS, width: WIDTH }, make, {
      steps,
      signal,
    });
    push(method, weight, bias);
    if (method === 'CE')
      push(
        'CE, post-hoc LA',
        weight,
        bias.map((b, k) => b - Math.log(COUNTS[k % COUNTS.length]!)),
      );
  }
  // The densities are alike but for their means.
  push(
    'Bayes',
    centres.flatMap((m) => [...m]),
    centres.flatMap((m) =>
      COUNTS.map((_, c) => -m.subarray(c * WIDTH, (c + 1) * WIDTH).reduce((sum, v) => sum + v * v, 0) / 2),
    ),
  );
  return runs;
}

/** Accuracy in each class of test rows that are sorted by class. */
function perClass(rows: Float32Array, weight: ArrayLike<number>, bias: ArrayLike<number>): number[] {
  const right = COUNTS.map(() => 0);
  for (let r = 0; r * WIDTH < rows.length; r++) {
    let [best, label] = [-Infinity, 0];
    for (let c = 0; c < COUNTS.length; c++) {
      let z = bias[c]!;
      for (let i = 0; i < WIDTH; i++) z += weight[c * WIDTH + i]! * rows[r * WIDTH + i]!;
      if (z > best) [best, label] = [z, c];
    }
    const own = Math.floor(r / TEST_ROWS);
    if (label === own) right[own]!++;
  }
  return right.map((n) => n / TEST_ROWS);
}

/** Holds when every mean lies near its reference and every check below does. */
export function judge(runs: readonly GmmRun[]): Verdict {
  const of = (part: Part, method: string, what: 'value' | 'gap' = 'value'): number[] =>
    runs.filter((run) => run.part === part && run.method === method).map((run) => run[what]);
  const average = (part: Part, method: string, what: 'value' | 'gap' = 'value'): number => mean(of(part, method, what));
  const rows: string[][] = [];
  const result: Record<string, unknown> = {};
  let holds = runs.length > 0;
  const check = (name: string, found: string, asked: string, isSo: boolean): void => {
    rows.push([name, found, asked, isSo ? 'yes' : 'no']);
    holds &&= isSo;
  };
  for (const [part, table] of Object.entries(REFERENCE) as [Part, Record<string, number>][]) {
    for (const [method, reference] of Object.entries(table)) {
      const found = of(part, method);
      const { mean: value, sd } = meanAndDeviation(found);
      result[`${part}: ${method}`] = { value, sd, reference };
      check(
        `${part}: ${method}`,
        withDeviation(found, 3),
        `${reference} ± ${NEAR[part]}`,
        Math.abs(value - reference) <= NEAR[part],
      );
    }
  }
  const below = (name: string, value: number, bound: number): void =>
    check(name, value.toPrecision(3), `<= ${bound}`, value <= bound);
  const lead = (name: string, part: Part, better: string, worse: string, least: number): void => {
    const by = (average(part, better) - average(part, worse)) * (part === 'classes' ? 1 : -1);
    check(name, by.toFixed(3), `>= ${least}`, by >= least);
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
  return { result, holds, table: { head: ['figure', 'found', 'asked', 'holds'], rows } };
}
