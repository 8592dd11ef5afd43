import type { TuningFile } from 'evenkeel';
import type { Engine } from './contestant.ts';
import { openEvenkeel } from './engines/evenkeel.ts';
import { mlpStep, type StepCounts } from './engines/evenkeel-steps.ts';
import { measurePeaks, type Peaks } from './roofline.ts';
import { runWorkload, type Effort, type WorkloadResult } from './runner.ts';
import { FIRST_MLP, WORKLOADS } from './workloads.ts';

/** What is to be run. Plain data. */
export interface BenchOptions extends Effort {
  names: readonly string[];
  adapter: 'hardware' | 'software' | null;
}

/** What came out. */
export interface BenchResult {
  adapter: { name: string; kind: 'hardware' | 'software' };
  peaks: Peaks;
  /** Of one step of the MLP. */
  step: StepCounts;
  workloads: WorkloadResult[];
  /** Why a workload has no figures. */
  refused: string[];
  /** Chosen, but left out on this software adapter. */
  hardwareOnly: string[];
  /** The kernels that the device chose. */
  tuned: TuningFile;
}

/** How the job reaches its surroundings. */
export interface BenchHost {
  /** Opens the other engines, once the kind of adapter is known. */
  openPeers(kind: 'hardware' | 'software'): Promise<Engine[]>;
  line(text: string): void;
  /** Errors of any device since the last call. */
  deviceErrors(): string[];
}

/** Runs the workloads on evenkeel and on the peers. A workload that goes wrong is refused, and the others go on. */
export async function benchmark(
  { names, adapter, ...effort }: BenchOptions,
  { openPeers, line, deviceErrors }: BenchHost,
): Promise<BenchResult> {
  const own = await openEvenkeel(adapter ?? undefined);
  const { name, kind } = own.gpu.adapter;
  line(`adapter: ${name} (${kind})`);
  const chosen = WORKLOADS.filter((workload) => names.includes(workload.name));
  const hardwareOnly = kind === 'software' ? chosen.filter((workload) => workload.hardwareOnly) : [];
  const engines = [own, ...(await openPeers(kind))];
  const peaks = await measurePeaks(own.gpu.device);
  const step = mlpStep(own.gpu, FIRST_MLP);
  const counts = await step.counts();
  step.dispose();
  const workloads: WorkloadResult[] = [];
  const refused: string[] = [];
  for (const workload of chosen) {
    if (hardwareOnly.includes(workload)) continue;
    line(workload.title);
    try {
      workloads.push(await runWorkload(workload, engines, effort));
    } catch (error) {
      const { name, message } = error as Error;
      refused.push(name === 'Refusal' ? message : `${workload.name}: ${name}: ${message}`);
      line(`refused: ${refused.at(-1)}`);
    }
    const errors = deviceErrors();
    if (errors.length > 0) {
      refused.push(`${workload.name}: a device reported an error: ${errors[0]}`);
      line(`refused: ${refused.at(-1)}`);
      if (workloads.at(-1)?.name === workload.name) workloads.pop();
    }
  }
  const tuned = own.gpu.tuned();
  own.gpu.destroy();
  return {
    adapter: { name, kind },
    peaks,
    step: counts,
    workloads,
    refused,
    hardwareOnly: hardwareOnly.map(({ name }) => name),
    tuned,
  };
}
