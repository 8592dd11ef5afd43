import { describe, expect, test } from 'vitest';
import { NdArray } from 'evenkeel';
import { apgd, evaluateRobustness, fgsm, pgd, squareAttack } from 'evenkeel/attack';
import { linfDistMlp, type LinfDistNet } from 'evenkeel/nn';
import { hostUniform, key } from 'evenkeel/random';
import { gpu } from '../support/gpu.ts';

const x = new NdArray(hostUniform(4, 6, key(1)), [4, 6]);
const y = [0, 1, 2, 0];
const eps = 0.1;
const points = async (attack: ReturnType<typeof pgd>): Promise<Float32Array> => {
  const found = await attack;
  return found.read().finally(() => found.dispose());
};
const attacks: Record<string, (net: LinfDistNet, signal?: AbortSignal) => Promise<unknown>> = {
  fgsm: (net) => points(fgsm(net, x, y, { eps })),
  pgd: (net) => points(pgd(net, x, y, { eps, steps: 40, restarts: 2 })),
  apgd: (net) => points(apgd(net, x, y, { eps, steps: 60 })),
  squareAttack: (net) => points(squareAttack(net, x, y, { eps: 1e-3, queries: 300 })),
  evaluateRobustness: (net) =>
    evaluateRobustness(net, x, y, { eps, attacks: ['apgd-ce', 'square'], batchSize: 2, steps: 40, queries: 200 }),
};

describe.each(Object.entries(attacks))('%s', (name, attack) => {
  // 3 and 5 are one computation, whose p lies on the device; captured steps follow it.
  test.each([5, Infinity])('p from 3 to %s in the middle is refused; with p back it is as before', async (to) => {
    using net = linfDistMlp([6, 5, 3]).init({ seed: 1 });
    net.power.set(3);
    const before = await attack(net);
    const waits = [async () => {}, ...(name === 'fgsm' ? [] : [() => gpu.sync()])];
    for (const wait of waits) {
      const under = attack(net);
      await wait();
      net.power.set(to);
      await expect(under).rejects.toThrow(
        new RegExp(`p of a distance layer changed from 3 to ${to} while the model was under attack`),
      );
      net.power.set(3);
    }
    expect(await attack(net)).toEqual(before);
    // From the start it is another model.
    net.power.set(to);
    await attack(net);
  });
});
