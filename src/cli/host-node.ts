import { NoWebGPUError } from 'evenkeel';
import { UsageError } from './usage-error.ts';
import { runJob, type DatasetBytes, type JobHost, type JobOutcome, type JobRequest } from './job.ts';
import { jobs } from './jobs.ts';

/** Runs a job in this process, on Dawn. */
export async function runInNode(
  request: JobRequest,
  datasets: readonly DatasetBytes[],
  host: JobHost,
): Promise<JobOutcome> {
  try {
    return await runJob(jobs, request, datasets, host);
  } catch (error) {
    if (error instanceof NoWebGPUError) throw new UsageError(`--host node: ${error.message}`);
    throw error;
  }
}
