import { cdbSampler } from 'evenkeel/data';
import { cdb, crossEntropyLoss, type CdbWeightsOptions } from 'evenkeel/losses';
import { perClassAccuracy } from 'evenkeel/metrics';
import { longTailExperiment } from './lib/long-tail-experiment.ts';
import type { LongTailMethod } from './lib/long-tail.ts';

/** Percentage points by which CDB-W must lead cross-entropy. */
const LEAD = 1;
const HELD = { quick: 100, full: 25 };
/** Exponent of the difficulties on Fashion-MNIST: the best of a search on held-out training images. */
const TAU = 0.5;

const weighted =
  (exponent: (full: boolean) => CdbWeightsOptions): LongTailMethod =>
  ({ train: { numClasses }, held, full }) => {
    const loss = cdb({ numClasses, ...exponent(full), floor: floorOf(full) });
    return {
      loss,
      async onEpoch(model) {
        loss.update(perClassAccuracy(await model.logits(held!.x), held!.y));
      },
    };
  };

/** Sinha, Ohashi, Nakamura, ACCV 2020 and IJCV 2022. */
export const cdbLt = longTailExperiment({
  id: 'cdb-lt',
  title: 'Class-wise difficulty, as weights and as sampling, against cross-entropy on long-tailed data',
  claim:
    'At imbalance 100 class-wise difficulty-balanced weights (CDB-W) lead cross-entropy in balanced accuracy ' +
    `by at least ${LEAD} point (after Sinha, Ohashi, Nakamura, ACCV 2020).`,
  methods: {
    ce: () => ({ loss: crossEntropyLoss() }),
    'cdb-w': weighted((full) => (full ? { dynamic: 'paper' } : { tau: TAU })),
    'cdb-w-dynamic': weighted(() => ({ dynamic: 'paper' })),
    'cdb-w-cifar': weighted(() => ({ dynamic: 'cifar' })),
    'cdb-s': ({ held, full }) => {
      const sampler = cdbSampler({ tau: full ? 1 : TAU, floor: floorOf(full) });
      return {
        loss: crossEntropyLoss(),
        sampler,
        async onEpoch(model) {
          sampler.setClassAccuracy(perClassAccuracy(await model.logits(held!.x), held!.y));
        },
      };
    },
  },
  settings: (full) =>
    `Difficulties are renewed after each epoch, at least half a validation image. ` +
    (full
      ? 'cdb-w and cdb-w-dynamic: dynamic tau of the paper; cdb-s: sampling by difficulty, tau 1; schedule, ' +
        'batches and decay are those of the released code for CIFAR-100.'
      : `cdb-w: tau ${TAU}, the best of 0.25, 0.5, 1 and the two dynamic ones on 200 held-out training images ` +
        'a class with seeds 100 and 101; cdb-w-dynamic: dynamic tau of the paper, which there swings from ' +
        `class to class; cdb-s: sampling by difficulty, tau ${TAU}, the better of that and 1.`) +
    ' cdb-w-cifar: dynamic tau of the released CIFAR code.',
  asked: [{ metric: 'balancedAccuracy', label: 'balanced accuracy', baseline: 'ce', method: 'cdb-w', margin: LEAD }],
  secondary: [
    { metric: 'balancedAccuracy', label: 'balanced accuracy', baseline: 'ce', method: 'cdb-w-dynamic' },
    { metric: 'balancedAccuracy', label: 'balanced accuracy', baseline: 'ce', method: 'cdb-w-cifar' },
    { metric: 'balancedAccuracy', label: 'balanced accuracy', baseline: 'ce', method: 'cdb-s' },
    { metric: 'few', label: 'rarest three classes', baseline: 'ce', method: 'cdb-w' },
  ],
  held: HELD,
  full: { epochs: 240, batchSize: 32, weightDecay: 5e-4, warmUp: 0, drops: [160 / 240, 210 / 240] },
});

function floorOf(full: boolean): number {
  return 1 / (2 * (full ? HELD.full : HELD.quick));
}
