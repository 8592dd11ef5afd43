import { scope } from 'evenkeel';
import { gpu } from './gpu.ts';

/** One dispatch: shader and entry point, and its invocations, idle ones of its workgroups included. */
export interface Launched {
  kernel: string;
  invocations: number;
}

/** What `step` would launch, in order. It is recorded and thrown away: nothing runs on the device. */
export function launchesOf(step: () => unknown): Launched[] {
  const { recording } = gpu.recorder.record('launchesOf', () => void scope(() => void step()));
  recording.release();
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  const workgroups = new Map([...gpu.pipelines.values()].map((of) => [of.pipeline, product(of.workgroup)]));
  return recording.commands.flatMap((c) =>
    c.kind === 'dispatch'
      ? [{ kernel: c.pipeline.label, invocations: product(c.groups) * workgroups.get(c.pipeline)! }]
      : [],
  );
}
