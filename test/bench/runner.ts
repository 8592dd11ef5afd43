import type { Contestant, Engine } from './contestant.ts';
import { callsFor, pairedRatio, relativeError, rotated, spread, type Spread } from './statistics.ts';
import type { Workload } from './workloads.ts';

/** Least duration of a sample, ms. */
const SAMPLE = 200;
/** Rounds that are done however long they take. */
const MIN_ROUNDS = 3;

/** How long a workload may go on. */
export interface Effort {
  rounds: number;
  /** Seconds after which no further round begins, once there are three. */
  seconds: number;
}

/** What one workload gave. */
export interface WorkloadResult {
  name: string;
  title: string;
  rounds: number;
  /** ms per unit of work. */
  times: Record<string, Spread>;
  /** evenkeel's time over that of each other contestant, by pairs. */
  ratios: Record<string, Spread>;
  /** Of each other engine's result against evenkeel's. */
  errors: Record<string, number>;
  operations: number | null;
  bytes: number | null;
}

/** An engine computed something else, or failed; its name is part of the sentence. */
export class Refusal extends Error {
  override name = 'Refusal';
}

/**
 * Checks that all contestants agree, then times them in turn, in rotated order. Throws a Refusal when one does
 * something else.
 */
export async function runWorkload(
  workload: Workload,
  engines: readonly Engine[],
  { rounds, seconds }: Effort,
): Promise<WorkloadResult> {
  const held = engines.map((engine) => engine.held());
  const contestants: Record<string, Contestant> = {};
  const samples: Record<string, number[]> = {};
  const calls: Record<string, number> = {};
  let errors: Record<string, number>;
  let done = 0;
  try {
    for (const engine of engines) Object.assign(contestants, engine.enter(workload.work));
    errors = await compare(workload, contestants);
    const names = Object.keys(contestants);
    for (const name of names) await contestants[name]!.call();
    for (const engine of engines) await engine.settle?.();
    for (const name of names) {
      await contestants[name]!.call();
      calls[name] = callsFor(await time(contestants[name]!, 1), SAMPLE);
      samples[name] = [];
    }
    const start = performance.now();
    while (done < rounds && (done < MIN_ROUNDS || performance.now() - start < 1000 * seconds)) {
      for (const name of rotated(names, done))
        samples[name]!.push((await time(contestants[name]!, calls[name]!)) / (contestants[name]!.items ?? 1));
      done++;
    }
  } finally {
    for (const contestant of Object.values(contestants)) contestant.dispose();
  }
  engines.forEach((engine, i) => {
    if (engine.held() !== held[i])
      throw new Refusal(`${workload.name}: ${engine.name} holds ${engine.held()} afterwards, ${held[i]} before`);
  });
  const { name, title, operations, bytes } = workload;
  const { evenkeel: own, ...others } = samples;
  return {
    name,
    title,
    rounds: done,
    times: mapValues(samples, spread),
    ratios: mapValues(others, (other) => pairedRatio(own!, other)),
    errors,
    operations,
    bytes,
  };
}

/** Largest error of each other engine's numbers against evenkeel's. */
async function compare(
  { name, tolerance }: Workload,
  contestants: Record<string, Contestant>,
): Promise<Record<string, number>> {
  const own = await contestants.evenkeel!.result?.();
  const errors: Record<string, number> = {};
  for (const [peer, { result }] of Object.entries(contestants)) {
    if (!own || !result || peer === 'evenkeel') continue;
    const error = relativeError(await result(), own);
    if (!(error <= tolerance))
      throw new Refusal(
        `${name}: ${peer} computes something else: it differs from evenkeel by ${error.toPrecision(2)} of ` +
          `the largest value, at most ${tolerance} is accepted`,
      );
    errors[peer] = error;
  }
  return errors;
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));
}

async function time(contestant: Contestant, calls: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < calls; i++) await contestant.call();
  return (performance.now() - start) / calls;
}
