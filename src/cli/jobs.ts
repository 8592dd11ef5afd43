import { demoJob } from './demo-job.ts';
import { experiments } from './experiments/index.ts';
import type { Job } from './job.ts';

/** Every job a host can run: the demo, and each experiment under its id. */
export const jobs: Readonly<Record<string, Job>> = {
  demo: demoJob as Job,
  ...Object.fromEntries(experiments.map((experiment) => [experiment.id, experiment.job as Job])),
};
