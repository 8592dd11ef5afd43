import { alphaMarginLoss } from 'evenkeel/losses';
import { alphaName, deviceRisk, minimise } from './lib/alpha.ts';
import { experiment, say, type Verdict } from './lib/experiment.ts';

const ALPHAS = [0.5, 1, 2, 4, 8] as const;
/**
 * Flip rate, then accuracy and risk of the global minimiser at each of {@link ALPHAS}, by an independent program; gamma
 * = 1 / 24.
 */
const TABLE = [
  [0.1, [0.5, 0.5, 1, 1, 1], [0.844424, 0.546864, 0.191692, 0.133299, 0.114286]],
  [0.2, [0.5, 0.5, 1, 1, 1], [0.922081, 0.617553, 0.363068, 0.265887, 0.22857]],
  [0.4, [0.5, 0.5, 0.5, 1, 1], [0.992111, 0.685282, 0.574819, 0.505676, 0.454676]],
  [0.45, [0.5, 0.5, 0.5, 0.5, 1], [0.998042, 0.691191, 0.58303, 0.535963, 0.503377]],
] as const;
const TOLERANCE = 1e-5;

/** One minimiser. `expectedRisk` is NaN where the table has none. */
export type LongServedioRun = {
  gamma: string;
  flips: number;
  alpha: string;
  w1: number;
  w2: number;
  risk: number;
  device: number;
  accuracy: number;
  expected: number;
  expectedRisk: number;
};

/** Weight and margin of each atom for the weights w; all have the label +1. */
function atoms(gamma: number, [a, b]: readonly [number, number]): { mass: number; margin: number }[] {
  return [
    { mass: 0.25, margin: a },
    { mass: 0.5, margin: gamma * (a - b) },
    { mass: 0.25, margin: gamma * (a + 5 * b) },
  ];
}

/** Global minimum of the risk with flipped labels. */
function solve(gamma: number, flips: number, alpha: number): { at: [number, number]; value: number } {
  const starts = [1, 3, 10, 30, 100, 300, 1000].flatMap((s): [number, number][] => [
    [s, 0],
    [0, s],
    [s, s],
  ]);
  return minimise(
    (w) =>
      atoms(gamma, w).reduce(
        (sum, { mass, margin }) =>
          sum +
          mass * ((1 - flips) * alphaMarginLoss(margin, alpha).value + flips * alphaMarginLoss(-margin, alpha).value),
        0,
      ),
    starts,
  );
}

/** Long and Servedio, 2010: convex losses fail under label flips where the alpha-loss with a large alpha does not. */
export const alphaLongServedio = experiment({
  id: 'alpha-long-servedio',
  title: 'alpha-loss on the points of Long and Servedio',
  claim:
    'With gamma = 1/24 the minimiser of a convex loss (alpha <= 1) has accuracy 1/2 at every flip rate, and ' +
    'that of a large enough alpha has accuracy 1; with gamma = 1/6 all have accuracy 1. Accuracies and risks ' +
    'are those of an independent program.',
  flags: {},
  protocol: () =>
    'Atoms (1, 0), (gamma, -gamma), (gamma, 5 gamma) of weights 1/4, 1/2, 1/4, all of class +1, labels ' +
    'flipped with probability 0.1 to 0.45; two weights, no bias; global minimum of the exact risk by the ' +
    `simplex method from 21 starts in f64; the risk there by alphaLoss on the device within ${TOLERANCE}; ` +
    'accuracy on the labels without flips. Deterministic.',
  datasets: () => [],
  job: async (_options, context) => {
    const runs: LongServedioRun[] = [];
    for (const [name, gamma] of [
      ['1/24', 1 / 24],
      ['1/6', 1 / 6],
    ] as const) {
      for (const [flips, accuracies, risks] of TABLE) {
        for (const [i, alpha] of ALPHAS.entries()) {
          const { at, value } = solve(gamma, flips, alpha);
          const points = atoms(gamma, at);
          const accuracy = points.reduce((sum, { mass, margin }) => sum + (margin > 0 ? mass : 0), 0);
          const device = await deviceRisk(
            points.flatMap(({ margin }) => [margin, -margin]),
            points.flatMap(({ mass }) => [mass * (1 - flips), mass * flips]),
            alpha,
          );
          const isTable = name === '1/24';
          runs.push({
            gamma: name,
            flips,
            alpha: alphaName(alpha),
            w1: at[0],
            w2: at[1],
            risk: value,
            device,
            accuracy,
            expected: isTable ? accuracies[i]! : 1,
            expectedRisk: isTable ? risks[i]! : NaN,
          });
        }
      }
      say(
        context,
        `gamma ${name}: ${runs.filter((run) => run.gamma === name && run.accuracy === 1).length} of 20 ` +
          'minimisers are right on every point',
      );
    }
    return runs;
  },
  judge,
});

/**
 * Holds when every accuracy is that of the table, and every risk within the tolerance of it, in f64 and on the device.
 */
export function judge(runs: readonly LongServedioRun[]): Verdict {
  const off = runs.filter((run) => run.accuracy !== run.expected).length;
  const risk = Math.max(
    ...runs.map(({ risk, expectedRisk }) =>
      Number.isFinite(expectedRisk) && expectedRisk !== null ? Math.abs(risk - expectedRisk) : 0,
    ),
  );
  const device = Math.max(...runs.map((run) => Math.abs(run.device - run.risk)));
  const groups = [...new Set(runs.map(({ gamma, flips }) => `${gamma}, ${flips}`))];
  const rows = groups.map((group) => [
    group,
    ...runs
      .filter(({ gamma, flips }) => `${gamma}, ${flips}` === group)
      .map((run) => `${run.accuracy} (${run.risk.toFixed(6)})`),
  ]);
  return {
    result: { wrongAccuracies: off, risk, device, tolerance: TOLERANCE },
    holds: runs.length > 0 && off === 0 && risk <= TOLERANCE && device <= TOLERANCE,
    table: { head: ['gamma, flips', ...ALPHAS.map((alpha) => `alpha ${alpha}`)], rows },
  };
}
