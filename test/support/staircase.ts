import type { linfMargin } from 'evenkeel/objectives';
import { linfSchedule, type LinfSchedule } from 'evenkeel/optim';

/** A schedule of powers of two that a net with a margin loss follows, lambda from 0.1 to 0.01. */
export function staircase(
  net: { readonly power: { set(p: number): void } },
  loss: Pick<ReturnType<typeof linfMargin>, 'set'>,
  span: { pStartEpoch: number; pEndEpoch: number },
): LinfSchedule {
  return linfSchedule({
    ...span,
    lambda: 0.1,
    lambdaEnd: 0.01,
    ramp: 'staircase',
    apply: ({ p, lambda }) => {
      net.power.set(p);
      loss.set({ lambda });
    },
  });
}
