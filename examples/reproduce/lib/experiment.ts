import type { Dataset } from 'evenkeel/data';
import type { StepReport } from 'evenkeel/train';

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

/** The images of a data set, pixels in 0..1, and the official test images. */
export interface Images {
  train: Dataset;
  test: Dataset;
}

/** What a job reports while it runs. */
export type Progress =
  | { type: 'phase'; label: string; total: number }
  | { type: 'step'; done: number; stepsPerSecond?: number; loss?: number; note?: string }
  | { type: 'line'; text: string };

/** What a job runs with. */
export interface Context {
  datasets: readonly Images[];
  signal: AbortSignal;
  emit(event: Progress): void;
}

/** A flag of the command line, as data. */
export interface Flag<T> {
  kind: 'integer' | 'toggle' | 'choice' | 'list' | 'text';
  describe: string;
  fallback: T;
  /** Least and largest integer. */
  range?: { min: number; max: number };
  /** What a choice or a list takes. */
  words?: readonly string[];
  /** Name of a text's value in the help. */
  value?: string;
}

/** Flags by name, without the dashes. */
export type Flags = Record<string, Flag<unknown>>;
/** What the command line makes of flags. */
export type Values<F extends Flags> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** An integer in min..max, or `fallback`. */
export function integer<T extends number | null>(
  describe: string,
  fallback: T,
  range: { min: number; max: number },
): Flag<number | T> {
  return { kind: 'integer', describe, fallback, range };
}

/** The number of seeds, and what each of them changes or averages. */
export function seedCount(each: string, fallback = 3): Flag<number> {
  return integer(`number of seeds: 0, 1, ...; each ${each}`, fallback, { min: 1, max: 100 });
}

/** A flag without a value. */
export function toggle(describe: string): Flag<boolean> {
  return { kind: 'toggle', describe, fallback: false };
}

/** One of a few words. */
export function choice<const W extends string>(describe: string, words: readonly W[], fallback: W): Flag<W> {
  return { kind: 'choice', describe, fallback, words };
}

/** Some of a few words, separated by commas. */
export function list<const W extends string>(
  describe: string,
  words: readonly W[],
  fallback: readonly W[],
): Flag<readonly W[]> {
  return { kind: 'list', describe, fallback, words };
}

/** Any text. */
export function text<T extends string | null>(describe: string, value: string, fallback: T): Flag<string | T> {
  return { kind: 'text', describe, fallback, value };
}

/**
 * A published claim and the runs that test it: one file in this folder and one line in `index.ts`. `job` runs in a page
 * and in Node; the rest in Node.
 */
export interface Experiment<V = any, O = any, R extends Run = any> {
  id: string;
  title: string;
  claim: string;
  /** Data, model, training and test in a few sentences. */
  protocol(values: V): string;
  flags: Flags;
  /** Sources of the data sets, in the order in which `job` gets them. Throws on flags that do not fit together. */
  datasets(values: V): string[];
  /** Options for `job`: plain data. */
  options(values: V): O;
  /** Returns the runs, and says a line for each. */
  job(options: O, context: Context): Promise<R[]>;
  judge(runs: readonly R[]): Verdict;
}

/** An experiment, checked against its own types. Without `options` the job gets the values of the flags. */
export function experiment<F extends Flags, R extends Run>(
  definition: Omit<Experiment<Values<F>, Values<F>, R>, 'options'> & { flags: F; options?: undefined },
): Experiment;
/** An experiment whose job gets other options. */
export function experiment<F extends Flags, O, R extends Run>(
  definition: Experiment<Values<F>, O, R> & { flags: F },
): Experiment;
/** Either form. */
export function experiment(definition: Omit<Experiment, 'options'> & Partial<Experiment>): Experiment {
  const names = Object.keys(definition.flags);
  return {
    ...definition,
    options: definition.options ?? ((values) => Object.fromEntries(names.map((name) => [name, values[name]]))),
  };
}

/** A line of the report. */
export function say({ emit }: Context, line: string): void {
  emit({ type: 'line', text: line });
}

/** Announces a training of `rows` samples; returns the `onStep` of `fit` that reports on it. `more` ends each note. */
export function report(
  { emit }: Context,
  label: string,
  rows: number,
  { epochs, batchSize }: { epochs: number; batchSize: number },
  more = (): string => '',
): (step: StepReport) => void {
  emit({ type: 'phase', label, total: epochs * Math.ceil(rows / batchSize) });
  return ({ step, epoch, loss, stepsPerSecond }) =>
    emit({ type: 'step', done: step, stepsPerSecond, loss, note: `epoch ${epoch + 1}/${epochs}${more()}` });
}

/** `1 seed`, `3 seeds`. */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
