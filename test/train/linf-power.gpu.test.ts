import { expect, test } from 'vitest';
import { linfMargin } from 'evenkeel/objectives';
import { linfDistMlp } from 'evenkeel/nn';
import { adam, linfSchedule } from 'evenkeel/optim';
import { fit } from 'evenkeel/train';
import { clusters } from '../support/synthetic.ts';

const data = clusters({ n: 96, seed: 1 });

/** Trains over the epochs `parts`, one fit for each, p as the schedule says; returns losses and weights. */
async function run(parts: readonly (readonly [from: number, to: number])[], ramp: 'exponential' | 'staircase') {
  using net = linfDistMlp([16, 12, 10], { p: 8 }).init({ seed: 2 });
  const loss = linfMargin({ epsTrain: 0.5, scale: () => net.scale });
  const powers: number[] = [];
  const schedule = linfSchedule({
    pStartEpoch: 1,
    pEndEpoch: 3,
    lambda: 0.1,
    lambdaEnd: 0.01,
    ramp,
    apply: ({ p, lambda }) => {
      powers.push(p);
      net.power.set(p);
      loss.set({ lambda });
    },
  });
  const optimizer = adam({ lr: 0.03 });
  const state = optimizer.for(net);
  const losses: number[] = [];
  for (const [startEpoch, to] of parts) {
    await fit(net, data, {
      loss,
      optimizer,
      state,
      epochs: to,
      startEpoch,
      batchSize: 40,
      seed: 3,
      onStep: (r) => void losses.push(r.loss),
      // The rate depends on the length of the run, which differs between the parts.
      schedule: [{ apply: (at) => schedule.apply!(at) }],
    });
  }
  const weights = [...(await net.stateDict()).values()].map((p) => Array.from(p.data));
  state.dispose();
  loss.dispose();
  return { powers, losses, weights };
}

test.each(['staircase', 'exponential'] as const)(
  'one fit goes from finite p to infinity bit by bit as one fit an epoch does: %s',
  async (ramp) => {
    const whole = await run([[0, 4]], ramp);
    expect(whole).toEqual(
      await run(
        [
          [0, 1],
          [1, 2],
          [2, 3],
          [3, 4],
        ],
        ramp,
      ),
    );
    expect(whole.powers.slice(0, 3)).toEqual([8, 8, 8]);
    expect(whole.powers.slice(-3)).toEqual([Infinity, Infinity, Infinity]);
    expect(whole.powers.slice(3, 9).every((p) => Number.isInteger(Math.log2(p)))).toBe(ramp === 'staircase');
    expect(whole.losses.every(Number.isFinite)).toBe(true);
  },
);
