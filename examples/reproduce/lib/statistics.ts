import { binomialCdf } from 'evenkeel/stats';
import type { Run, Verdict } from './experiment.ts';

/** A fraction as a percentage with `digits` decimals. */
export function percent(fraction: number, digits = 2): string {
  return (100 * fraction).toFixed(digits);
}

/** Mean of some numbers. */
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

/** Mean and standard deviation (n - 1); the deviation of a single value is null. */
export function meanAndDeviation(values: readonly number[]): { mean: number; sd: number | null } {
  const mean = meanOf(values);
  if (values.length < 2) return { mean, sd: null };
  return { mean, sd: Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)) };
}

/** Mean and deviation of values times `scale`, as `0.0394 ± 0.0016`. */
export function withDeviation(values: readonly number[], digits: number, scale = 1): string {
  const { mean, sd } = meanAndDeviation(values);
  return `${(scale * mean).toFixed(digits)}${sd === null ? '' : ` ± ${(scale * sd).toFixed(digits)}`}`;
}

/** Values of 0..1 as `85.31 ± 0.42` percent. */
export function percentWithDeviation(values: readonly number[]): string {
  return withDeviation(values, 2, 100);
}

/**
 * The least m with P[Bin(trials, rate) > m] <= 1e-6: more events than that refute that they come at most at this rate.
 */
export function eventLimit(trials: number, rate: number): number {
  let m = 0;
  while (1 - binomialCdf(m, trials, rate) > 1e-6) m++;
  return m;
}

/** The lines of a table, each with what was asked for; the claim holds when there are runs and every line does. */
export class Checks {
  readonly rows: string[][] = [];
  holds: boolean;

  constructor(runs: readonly unknown[]) {
    this.holds = runs.length > 0;
  }

  /** A line of the table, which ends with yes or no. */
  add(cells: readonly string[], isSo: boolean): void {
    this.holds &&= isSo;
    this.rows.push([...cells, isSo ? 'yes' : 'no']);
  }
}

/** A run that can be paired: runs of one data set and seed saw the same data and the same order. */
export type PairedRun = Run & { dataset: string; seed: number; method: string };

/** One line of a claim: by how much `method` leads `baseline` in `metric`, on every data set. */
export interface Comparison {
  /** Name of a number of the runs, a fraction in 0..1. */
  metric: string;
  /** For the table: what the metric is called, in percent. */
  label: string;
  baseline: string;
  method: string;
  /** Whether a smaller metric is better. @default false */
  lowerIsBetter?: boolean;
  /** Percentage points by which the mean paired lead must reach or pass this. Negative: how much may be lost. */
  margin: number;
}

/**
 * Mean and deviation of both methods and of their paired differences, for each data set and comparison; holds when
 * every mean lead reaches its margin.
 */
export function judgePaired(runs: readonly PairedRun[], comparisons: readonly Comparison[]): Verdict {
  const result: Record<string, unknown> = {};
  const rows: string[][] = [];
  let holds = runs.length > 0;
  for (const dataset of new Set(runs.map((run) => run.dataset))) {
    for (const comparison of comparisons) {
      const { metric, label, baseline, method, lowerIsBetter = false, margin } = comparison;
      const [base, ours] = [baseline, method].map((name) => valuesOf(runs, dataset, name, metric)) as [
        Map<number, number>,
        Map<number, number>,
      ];
      const seeds = [...ours.keys()].filter((seed) => base.has(seed));
      const differences = seeds.map((seed) => ours.get(seed)! - base.get(seed)!);
      const lead = differences.map((d) => (lowerIsBetter ? -d : d));
      const reached = seeds.length > 0 && 100 * meanAndDeviation(lead).mean >= margin;
      holds &&= reached;
      const key = comparisons.length > 1 ? `${dataset}: ${label}, ${method} against ${baseline}` : dataset;
      result[key] = {
        [baseline]: meanAndDeviation([...base.values()]),
        [method]: meanAndDeviation([...ours.values()]),
        difference: meanAndDeviation(differences),
        seeds: seeds.length,
        margin,
        holds: reached,
      };
      rows.push([
        dataset,
        label,
        `${baseline} ${percentWithDeviation([...base.values()])}`,
        `${method} ${percentWithDeviation([...ours.values()])}`,
        percentWithDeviation(differences),
        `${lowerIsBetter ? '<= ' : '>= '}${lowerIsBetter ? -margin : margin}`,
        reached ? 'yes' : 'no',
      ]);
    }
  }
  return {
    result,
    holds,
    table: { head: ['data', 'measure, %', 'baseline', 'method', 'difference', 'asked', 'holds'], rows },
  };
}

function valuesOf(runs: readonly PairedRun[], dataset: string, method: string, metric: string): Map<number, number> {
  return new Map(
    runs
      .filter((run) => run.dataset === dataset && run.method === method)
      .map((run) => [run.seed, Number(run[metric])]),
  );
}
