import type { BenchReport } from './report.ts';
import { leastTime } from './roofline.ts';

/** A bar that a figure of evenkeel is held to. Missing one is reported; it is no failure of the run. */
export interface Bar {
  what: string;
  unit: '' | ' x' | ' ms' | ' us' | ' %' | ' KiB';
  /** The figure must be at most, or at least, this. */
  most?: number;
  least?: number;
  /** The bar is for one kind of adapter. */
  adapter?: 'hardware' | 'software';
  /** Null where the run does not say. */
  measure(report: BenchReport): number | null;
}

const ratio =
  (workload: string, over: string) =>
  (report: BenchReport): number | null =>
    report.workloads.find(({ name }) => name === workload)?.ratios[over]?.median ?? null;

function share(workload: string) {
  return (report: BenchReport): number | null => {
    const found = report.workloads.find(({ name }) => name === workload);
    return found
      ? (100 * leastTime(report.peaks, { operations: found.operations, bytes: null })!) / found.times.evenkeel!.median
      : null;
  };
}

/** The bars of the project's plan. */
export const BARS: readonly Bar[] = [
  { what: 'MLP step / jax-js', unit: ' x', most: 0.6, adapter: 'software', measure: ratio('mlp', 'jax-js') },
  { what: 'MLP step / tfjs', unit: ' x', most: 0.1, adapter: 'software', measure: ratio('mlp', 'tfjs') },
  { what: 'CNN step / jax-js', unit: ' x', most: 0.45, adapter: 'software', measure: ratio('cnn', 'jax-js') },
  { what: 'CNN step / tfjs', unit: ' x', most: 0.08, adapter: 'software', measure: ratio('cnn', 'tfjs') },
  { what: 'matmul 512 / jax-js', unit: ' x', most: 0.5, adapter: 'software', measure: ratio('matmul-512', 'jax-js') },
  {
    what: 'matmul 512, share of the multiply-add peak',
    unit: ' %',
    least: 60,
    adapter: 'software',
    measure: share('matmul-512'),
  },
  {
    what: 'matmul 4096, share of the multiply-add peak',
    unit: ' %',
    least: 40,
    adapter: 'hardware',
    measure: share('matmul-4096'),
  },
  {
    what: 'l_inf distance 512 / matmul of that shape',
    unit: ' x',
    most: 1.8,
    adapter: 'software',
    measure: ratio('distance-inf', 'matmul'),
  },
  {
    what: 'certification of LeNet, share of the bare forward pass in samples a second',
    unit: ' %',
    least: 90,
    measure: (r) => percentOf(ratio('certify-lenet', 'forward')(r)),
  },
  {
    what: 'certification of the MLP, share of the bare forward pass in samples a second',
    unit: ' %',
    least: 90,
    measure: (r) => percentOf(ratio('certify-mlp', 'forward')(r)),
  },
  {
    what: 'cold start',
    unit: ' ms',
    most: 1000,
    adapter: 'software',
    measure: ({ coldStart }) => coldStart?.times.evenkeel?.median ?? null,
  },
  {
    what: 'cold start / jax-js',
    unit: ' x',
    most: 0.7,
    adapter: 'software',
    measure: ({ coldStart }) => coldStart?.ratios['jax-js']?.median ?? null,
  },
  { what: 'dispatches of the MLP step', unit: '', most: 13, measure: ({ step }) => step.dispatches },
  { what: 'submits of the MLP step', unit: '', most: 1, measure: ({ step }) => step.submits },
  { what: 'buffers created by the MLP step', unit: '', most: 0, measure: ({ step }) => step.buffers },
  { what: 'host time of the MLP step', unit: ' %', most: 5, measure: ({ step }) => (100 * step.host) / step.total },
  {
    what: 'encoding a dispatch of the MLP step',
    unit: ' us',
    most: 3,
    measure: ({ step }) => (1000 * step.encode) / step.dispatches,
  },
  { what: 'bundle of all of evenkeel', unit: ' KiB', most: 50, measure: ({ bundleBytes }) => bundleBytes.all / 1024 },
  {
    what: 'bundle of the README program',
    unit: ' KiB',
    most: 30,
    measure: ({ bundleBytes }) => bundleBytes.program / 1024,
  },
];

/** One sentence on a figure; null where the bar is for another kind of adapter or the run does not say. */
export function verdict(bar: Bar, report: BenchReport): string | null {
  if (bar.adapter && bar.adapter !== report.adapter.kind) return null;
  const value = bar.measure(report);
  if (value === null) return null;
  const isMet = value <= (bar.most ?? Infinity) && value >= (bar.least ?? -Infinity);
  const limit = bar.most === undefined ? `at least ${bar.least}` : `at most ${bar.most}`;
  return `${bar.what}: ${Number(value.toPrecision(3))}${bar.unit}, ${limit} asked: ${isMet ? 'met' : 'missed'}`;
}

function percentOf(ratio: number | null): number | null {
  return ratio === null ? null : 100 / ratio;
}
