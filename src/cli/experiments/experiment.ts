import type { FlagTable, Values } from '../flags.ts';
import type { Job, JobContext } from '../job.ts';

/** One measured run: what was run, and the numbers found. */
export type Run = Record<string, string | number | readonly number[]>;

/** What an experiment concludes from its runs. */
export interface Verdict {
  /** Means, deviations and differences, by data set. */
  result: Record<string, unknown>;
  holds: boolean;
  /** For the terminal. */
  table: { head: string[]; rows: string[][] };
}

/**
 * A published claim and the runs that test it. `job` runs in a page and in Node; the rest in Node. An experiment is one
 * file in this folder and one line in `index.ts`.
 */
export interface Experiment {
  id: string;
  title: string;
  claim: string;
  protocol(values: Values<FlagTable>): string;
  flags: FlagTable;
  /** Sources of the data sets, in the order in which `job` gets them. */
  datasets(values: Values<FlagTable>): string[];
  /** Options for `job`: plain data. */
  options(values: Values<FlagTable>): unknown;
  /** Returns the runs, and emits a line for each. */
  job: Job;
  judge(runs: readonly Run[]): Verdict;
}

/** An experiment with its own types inside. */
export interface ExperimentOf<F extends FlagTable, O, R extends Run> {
  id: string;
  title: string;
  claim: string;
  protocol(values: Values<F>): string;
  flags: F;
  datasets(values: Values<F>): string[];
  options(values: Values<F>): O;
  job(options: O, context: JobContext): Promise<R[]>;
  judge(runs: readonly R[]): Verdict;
}

/** Checks an experiment against its own types, and forgets them. */
export function experiment<F extends FlagTable, O, R extends Run>(definition: ExperimentOf<F, O, R>): Experiment {
  return definition as unknown as Experiment;
}
