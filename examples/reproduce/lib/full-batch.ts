import { backward, capture, type Tensor } from 'evenkeel';
import type { Sequential } from 'evenkeel/nn';
import type { Optimizer } from 'evenkeel/optim';

/** Steps that may lie in the queue before the host waits for the device. */
const AHEAD = 200;

/** How {@link descend} goes on. */
export interface DescentOptions {
  optimizer: Optimizer;
  steps: number;
  signal?: AbortSignal;
  /** Steps, counted from 1, after which `read` is awaited. */
  at?: readonly number[];
  read?: (step: number) => Promise<void>;
}

/** Full-batch descent of a model on a scalar objective: one captured step, played again. */
export async function descend(
  model: Sequential,
  objective: () => Tensor,
  { optimizer, steps, signal, at = [], read }: DescentOptions,
): Promise<void> {
  const state = optimizer.for(model);
  const wait = [...model.parameters.values()][0]!;
  const run = (): void => {
    backward(objective());
    state.step();
  };
  let step: { run(): unknown; dispose(): void } | null = null;
  try {
    for (let t = 0; t < steps; t++) {
      if (step) step.run();
      else step = capture(run);
      if (at.includes(t + 1)) await read?.(t + 1);
      else if (t % AHEAD === AHEAD - 1) await wait.read();
      signal?.throwIfAborted();
    }
  } finally {
    step?.dispose();
    state.dispose();
  }
}
