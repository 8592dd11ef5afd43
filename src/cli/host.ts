import { runInChrome } from './host-chrome.ts';
import { runInNode } from './host-node.ts';
import type { DatasetBytes, JobHost, JobOutcome, JobRequest } from './job.ts';

/** Where jobs run. */
export const HOSTS = ['chrome', 'node'] as const;
/** One of {@link HOSTS}. */
export type HostName = (typeof HOSTS)[number];

/** Runs a job in headless Chrome or in this process. */
export function runOnHost(
  name: HostName,
  request: JobRequest,
  datasets: readonly DatasetBytes[],
  host: JobHost,
): Promise<JobOutcome> {
  return name === 'chrome' ? runInChrome(request, datasets, host) : runInNode(request, datasets, host);
}
