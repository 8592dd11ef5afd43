import { describe, expect, test } from 'vitest';
import { Linear, Sequential } from 'evenkeel/nn';
import { crossEntropy } from 'evenkeel/ops';
import {
  adagrad,
  adam,
  clipGradNorm,
  clipGradValue,
  ema,
  lamb,
  lpDecayAdamW,
  rmsprop,
  sam,
  sgd,
  swa,
  type Trainable,
} from 'evenkeel/optim';
import { TrainingStep } from 'evenkeel/train';
import { gpu } from '../support/gpu.ts';
import { inject, POINTS } from '../support/inject.ts';
import { clusters } from '../support/synthetic.ts';

/** What can be bound to a model, and whose memory must be freed where the device fails meanwhile. */
interface Bindable {
  for(model: Trainable): { dispose(): void };
}

const data = clusters({ n: 20 });
const bindables: Record<string, Bindable> = {
  sgd: sgd({ lr: 0.1, momentum: 0.9, groups: [{ params: '*.bias', momentum: 0.5 }] }),
  'adam with amsgrad': adam({ amsgrad: true }),
  adagrad: adagrad({ initialAccumulatorValue: 0.1 }),
  rmsprop: rmsprop({ momentum: 0.9, centered: true }),
  lamb: lamb(),
  lpDecayAdamW: lpDecayAdamW({ power: { value: 8 }, distances: (name) => name === '0.weight' }),
  clipGradNorm: clipGradNorm(lamb(), { maxNorm: 1 }),
  clipGradValue: clipGradValue(adam(), { clipValue: 1 }),
  sam: sam({ base: clipGradNorm(sgd({ lr: 0.1, momentum: 0.9 }), { maxNorm: 1 }), adaptive: true }),
  ema: ema(),
  swa: swa(),
  'a run of fit': {
    for: (model) =>
      new TrainingStep(model as Sequential, data, {
        loss: crossEntropy,
        optimizer: sam({ base: lamb() }),
        accumulate: 3,
        detectAnomaly: true,
      }),
  },
};

describe.each(Object.entries(bindables))('%s', (_, rule) => {
  test.each(POINTS.filter(({ name }) => /^(createBuffer|writeBuffer) throws$/.test(name)))(
    'frees all memory where $name',
    async (point) => {
      using model = Sequential(Linear(16, 12), Linear(12, 10)).init({ seed: 1 });
      const bind = async (): Promise<void> => rule.for(model).dispose();
      await bind();
      const attempt = async (at: number) => {
        await gpu.sync();
        gpu.trim();
        const before = gpu.memory().live;
        const found = await inject(gpu.device, point, at, bind);
        await gpu.sync();
        expect(gpu.memory().live, `call ${at}`).toBe(before);
        return found;
      };
      const { calls } = await attempt(0);
      // An average is zeros at first, which are not written.
      if (point.method === 'createBuffer') expect(calls).toBeGreaterThan(0);
      for (let at = 1; at <= calls; at++) expect((await attempt(at)).outcome.status, `call ${at}`).toBe('rejected');
      await bind();
    },
  );
});
