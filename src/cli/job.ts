import { init } from 'evenkeel';

/** A data set as the four IDX files of MNIST, inflated. */
export interface DatasetBytes {
  name: string;
  trainImages: Uint8Array;
  trainLabels: Uint8Array;
  testImages: Uint8Array;
  testLabels: Uint8Array;
}

/** The adapter a job ran on. */
export interface Adapter {
  name: string;
  kind: 'hardware' | 'software';
}

/** What a running job reports to its host. Plain data: it crosses from a page to Node. */
export type JobEvent =
  /** The device is open. */
  | { type: 'adapter'; adapter: Adapter }
  /** A stretch of work of `total` steps begins. */
  | { type: 'phase'; label: string; total: number }
  /** `done` steps of the current phase are finished. */
  | { type: 'step'; done: number; stepsPerSecond?: number; loss?: number; note?: string }
  /** Something worth a line of its own. */
  | { type: 'line'; text: string };

/** What a job runs with. */
export interface JobContext {
  adapter: Adapter;
  datasets: readonly DatasetBytes[];
  signal: AbortSignal;
  emit(event: JobEvent): void;
  /** Hands a file to the host; it is written only when the whole job succeeds. */
  save(file: string, bytes: Uint8Array): void;
}

/** A piece of work that runs in a page and in Node alike. Options and result are plain data. */
export type Job = (options: never, context: JobContext) => Promise<unknown>;

/** Which job to run, and how. */
export interface JobRequest {
  job: string;
  options: unknown;
}

/** What a host needs to run a job. */
export interface JobHost {
  signal: AbortSignal;
  emit(event: JobEvent): void;
}

/** What a finished job leaves. */
export interface JobOutcome {
  value: unknown;
  files: Map<string, Uint8Array>;
}

/** Opens a device, runs the job, and frees the device, also when the job fails. */
export async function runJob(
  jobs: Readonly<Record<string, Job>>,
  { job, options }: JobRequest,
  datasets: readonly DatasetBytes[],
  { signal, emit }: JobHost,
): Promise<JobOutcome> {
  const run = jobs[job];
  if (!run) throw new Error(`there is no job '${job}'`);
  const gpu = await init();
  try {
    const adapter = { name: gpu.adapter.name, kind: gpu.adapter.kind };
    emit({ type: 'adapter', adapter });
    const files = new Map<string, Uint8Array>();
    const value = await run(options as never, {
      adapter,
      datasets,
      signal,
      emit,
      save: (file, bytes) => files.set(file, bytes),
    });
    return { value, files };
  } finally {
    gpu.destroy();
  }
}
