import { experiments } from '../../examples/reproduce/index.ts';
import type { Experiment } from '../../examples/reproduce/lib/experiment.ts';
import { demoJob } from './demo-job.ts';
import { loadImages } from './images.ts';
import type { Job } from './job.ts';

/** Every job a host can run: the demo, and each experiment under its id. */
export const jobs: Readonly<Record<string, Job>> = {
  demo: demoJob as Job,
  ...Object.fromEntries(experiments.map((experiment) => [experiment.id, experimentJob(experiment)])),
};

/** The job of an experiment, which gets its images loaded. */
function experimentJob({ job }: Experiment): Job {
  return async (options, { datasets, signal, emit }) =>
    job(options, { datasets: await Promise.all(datasets.map(loadImages)), signal, emit });
}
