import { NdArray } from 'evenkeel';
import { ABSTAIN, Smooth } from 'evenkeel/certify';
import { Linear, Sequential } from 'evenkeel/nn';
import { hostNormal, hostUniform, key, splitKey } from 'evenkeel/random';
import { binomialCdf, binomialPmf, certifiedRadius, clopperPearsonLower, normalCdf } from 'evenkeel/stats';
import { count, experiment, type Run, say, seedCount, type Verdict } from './lib/experiment.ts';
import { Checks, eventLimit } from './lib/statistics.ts';

const CLASSIFIERS = 200;
const FEATURES = 64;
const SIGMA = 0.5;
/** Odd, so that no selection is tied. */
const SELECTION = 99;
const SAMPLES = [1000, 10_000];
/** True radii reach this many sigma. */
const FARTHEST = 3;
/** That of the radii, and one at which violations are frequent enough to be seen. */
const ALPHAS = [0.001, 0.05] as const;

/** The largest average certified radii of published models on MNIST, resampled at the same n. */
const PUBLISHED: Readonly<Record<number, readonly (readonly [sigma: number, acr: number])[]>> = {
  1000: [
    [0.25, 0.607],
    [0.5, 1.158],
    [1, 1.504],
  ],
  10_000: [
    [0.25, 0.785],
    [0.5, 1.465],
    [1, 1.728],
  ],
};

/** The certificates of one seed with n samples each. */
export interface CertifyLinearRun extends Run {
  seed: number;
  n: number;
  certificates: number;
  abstained: number;
  /** Certificates beyond the true radius, or of the wrong class, for each of the alphas. */
  violations: number[];
  /** Mean radius, what the closed form expects of it, and its standard error. */
  radius: number;
  expected: number;
  error: number;
  /** Mean of radius over true radius. */
  tightness: number;
  /** Radius over sigma of a point so far away that all copies agree. */
  cap: number;
}

/** Certificates of linear classifiers, whose smoothed radius is |w.x + b| / |w|, through the sampling path. */
export const certifyLinear = experiment({
  id: 'certify-linear',
  title: 'Certified radii of linear classifiers against their closed form',
  claim:
    'Certified radii exceed the true radius no more often than alpha, their mean is the one that exact ' +
    'binomial counts give, and a point far away gets the largest radius that n allows.',
  flags: { seeds: seedCount(`has ${CLASSIFIERS} classifiers`) },
  protocol: ({ seeds }) =>
    `${CLASSIFIERS} classifiers [w.x + b > 0] of ${FEATURES} normal weights, one point each at distances ` +
    `spread over 0 to ${FARTHEST} sigma, either side, sigma ${SIGMA}; Smooth.certify with ${SELECTION} ` +
    `copies to select and n = ${SAMPLES.join(' and ')} to estimate, ` +
    `alpha ${ALPHAS[1]}, and ${ALPHAS[0]} from the same counts; true radii in f64. Violations at each n and ` +
    `alpha, over ${count(seeds, 'seed')}, stay below what a rate of alpha exceeds with ` +
    `probability 1e-6; the mean radius at alpha ${ALPHAS[0]} lies within 5 standard errors of its ` +
    'expectation.',
  datasets: () => [],
  job: async (
    {
      seeds,
      classifiers = CLASSIFIERS,
      samples = SAMPLES,
    }: { seeds: number; classifiers?: number; samples?: number[] },
    context,
  ) => {
    const { signal } = context;
    const runs: CertifyLinearRun[] = [];
    using model = Sequential(Linear(FEATURES, 2)).init();
    for (let seed = 0; seed < seeds; seed++) {
      const problems = Array.from({ length: classifiers }, (_, i) =>
        draw(seed, i, (FARTHEST * (i + 0.5)) / classifiers),
      );
      using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed });
      for (const n of samples) {
        const run = await measure(problems, n, async ({ w, b, x }, stream) => {
          model.parameters.get('0.weight')!.write(Float32Array.from([...w.map(() => 0), ...w]));
          model.parameters.get('0.bias')!.write(Float32Array.of(0, b));
          const { labels, counts } = await smooth.certify([x.data], {
            n0: SELECTION,
            n,
            alpha: ALPHAS[1],
            indices: [stream],
            signal,
          });
          const label = labels[0]!;
          return { label, hits: label === ABSTAIN ? 0 : counts.data[label]! };
        });
        runs.push({ seed, n, ...run });
        say(
          context,
          `seed ${seed}, n ${n}: violations ` +
            `${ALPHAS.map((a, i) => `${run.violations[i]} at alpha ${a}`).join(', ')} of ${run.certificates}; ` +
            `mean radius ${run.radius.toFixed(4)}, expected ${run.expected.toFixed(4)} ± ` +
            `${run.error.toFixed(4)}; ${(100 * run.tightness).toFixed(1)} % of the true radius`,
        );
      }
    }
    return runs;
  },
  judge,
});

interface Problem {
  w: Float32Array;
  b: number;
  x: NdArray<Float32Array>;
  distance: number;
}

/**
 * A classifier and a point at about the given distance over sigma; `distance` is exact for the rounded numbers,
 * positive on the side of class 1.
 */
export function draw(seed: number, i: number, at: number): Problem {
  const own = splitKey(splitKey(key(seed), 7), i);
  const [scale, b, side] = hostUniform(1, 3, own, { low: -1, high: 1 }) as unknown as [number, number, number];
  const w = hostNormal(1, FEATURES, splitKey(own, 1)).map((v) => v * 10 ** scale);
  const from = hostNormal(1, FEATURES, splitKey(own, 2));
  const length = Math.hypot(...w);
  const distanceOf = (x: Float32Array): number => x.reduce((sum, v, k) => sum + v * w[k]!, b) / length;
  const shift = (Math.sign(side) * at * SIGMA - distanceOf(from)) / length;
  const x = from.map((v, k) => v + shift * w[k]!);
  return { w, b, x: new NdArray(x, [FEATURES]), distance: distanceOf(x) };
}

async function measure(
  problems: readonly Problem[],
  n: number,
  certify: (problem: Problem, stream: number) => Promise<{ label: number; hits: number }>,
) {
  const radii = new Map<string, number>();
  const radiusOf = (hits: number, alpha: number): number => {
    const at = `${hits} ${alpha}`;
    if (!radii.has(at)) radii.set(at, certifiedRadius(clopperPearsonLower(hits, n, alpha), SIGMA));
    return radii.get(at)!;
  };
  const violations = ALPHAS.map(() => 0);
  let [abstained, radius, expected, variance, tightness] = [0, 0, 0, 0, 0];
  for (const [i, problem] of problems.entries()) {
    const [truth, isOne] = [Math.abs(problem.distance), problem.distance > 0];
    const { label, hits } = await certify(problem, i);
    const isRight = label === Number(isOne);
    ALPHAS.forEach((alpha, a) => {
      const isAnswer = label !== ABSTAIN && clopperPearsonLower(hits, n, alpha) >= 0.5;
      violations[a]! += Number(isAnswer && (!isRight || radiusOf(hits, alpha) > truth));
      if (a > 0) return;
      abstained += Number(!isAnswer);
      const claimed = isAnswer ? radiusOf(hits, alpha) : 0;
      radius += claimed / problems.length;
      tightness += claimed / truth / problems.length;
    });
    const { mean, square } = momentsOf(truth, n, (k) => radiusOf(k, ALPHAS[0]));
    expected += mean / problems.length;
    variance += (square - mean * mean) / problems.length ** 2;
  }
  const far = await certify(
    { ...problems[0]!, b: problems[0]!.b + 20 * SIGMA * Math.hypot(...problems[0]!.w) },
    problems.length,
  );
  return {
    certificates: problems.length,
    abstained,
    violations,
    radius,
    expected,
    error: Math.sqrt(variance),
    tightness,
    cap: radiusOf(far.hits, ALPHAS[0]) / SIGMA,
  };
}

/** Mean of the certified radius, and of its square, where the true one is given: over the selection and the count. */
function momentsOf(truth: number, n: number, radiusOf: (k: number) => number): { mean: number; square: number } {
  const p = normalCdf(truth / SIGMA);
  const selected = 1 - binomialCdf((SELECTION - 1) / 2, SELECTION, p);
  let [mean, square] = [0, 0];
  for (const [share, at] of [
    [selected, p],
    [1 - selected, 1 - p],
  ] as const) {
    const reach = 8 * Math.sqrt(n * p * (1 - p)) + 20;
    for (let k = Math.max(Math.ceil(n / 2), Math.floor(n * at - reach)); k <= Math.min(n, n * at + reach); k++) {
      const weight = share * binomialPmf(k, n, at);
      mean += weight * radiusOf(k);
      square += weight * radiusOf(k) ** 2;
    }
  }
  return { mean, square };
}

/** Holds when violations, mean radii and largest radii are what the claim says, at every n. */
export function judge(runs: readonly CertifyLinearRun[]): Verdict {
  const result: Record<string, unknown> = {};
  const checks = new Checks(runs);
  for (const n of new Set(runs.map((run) => run.n))) {
    const these = runs.filter((run) => run.n === n);
    const total = (of: (run: CertifyLinearRun) => number): number => these.reduce((sum, run) => sum + of(run), 0);
    const certificates = total((run) => run.certificates);
    const average = (name: 'radius' | 'expected' | 'tightness'): number =>
      total((run) => run[name] * run.certificates) / certificates;
    const check = (name: string, measured: string, expected: string, isSo: boolean): void =>
      checks.add([String(n), name, measured, expected], isSo);

    const violations = ALPHAS.map((alpha, i) => ({
      alpha,
      count: total((run) => run.violations[i]!),
      limit: eventLimit(certificates, alpha),
    }));
    for (const { alpha, count, limit } of violations)
      check(`violations at alpha ${alpha}`, `${count} of ${certificates}`, `<= ${limit}`, count <= limit);

    const [radius, expected, tightness] = [average('radius'), average('expected'), average('tightness')];
    const error = Math.sqrt(total((run) => (run.error * run.certificates) ** 2)) / certificates;
    const around = `${expected.toFixed(4)} ± ${(5 * error).toFixed(4)}`;
    check('mean radius', radius.toFixed(4), around, Math.abs(radius - expected) <= 5 * error);

    const largest = certifiedRadius(clopperPearsonLower(n, n, ALPHAS[0]), SIGMA) / SIGMA;
    const cap = Math.min(...these.map((run) => run.cap));
    const isLargest = these.every((run) => run.cap === largest);
    check('largest radius over sigma', cap.toFixed(4), largest.toFixed(4), isLargest);
    for (const [sigma, acr] of PUBLISHED[n] ?? []) {
      const ceiling = sigma * cap;
      check(`sigma ${sigma}: published ACR, ceiling`, acr.toFixed(3), `<= ${ceiling.toFixed(3)}`, acr <= ceiling);
    }
    checks.rows.push([String(n), 'radius over true radius', tightness.toFixed(4), '', '']);
    const abstained = total((run) => run.abstained);
    result[n] = { certificates, abstained, violations, radius, expected, error, tightness, cap };
  }
  const head = ['n', 'measure', 'measured', 'expected', 'holds'];
  return { result, holds: checks.holds, table: { head, rows: checks.rows } };
}
