import { bayias, crossEntropy, mixed, mixup, unimix } from 'evenkeel/losses';
import { longTailExperiment } from './long-tail.ts';

/** Percentage points of balanced accuracy by which UniMix + Bayias must lead cross-entropy. */
const LEAD = 2;
/** Of the code for CIFAR-10. */
const [ALPHA, TAU] = [0.8, -0.5];

/** Xu, Chai, Yuan, NeurIPS 2021, whole and in parts. */
export const unimixBayiasLt = longTailExperiment({
  id: 'unimix-bayias-lt',
  title: 'UniMix and Bayias, together and apart, against cross-entropy and mixup on long-tailed data: accuracy and calibration',
  claim: `At imbalance 100 UniMix + Bayias leads cross-entropy in balanced accuracy by at least ${LEAD} points and has a lower ECE on the balanced test set (after Xu, Chai, Yuan, NeurIPS 2021).`,
  methods: {
    ce: () => ({ loss: crossEntropy() }),
    mixup: () => ({ objective: mixed(mixup({ alpha: 1 }), crossEntropy()) }),
    unimix: ({ train }) => ({ objective: mixed(unimix({ clsNumList: train.classCounts, alpha: ALPHA, tau: TAU }), crossEntropy()) }),
    bayias: ({ train }) => ({ loss: bayias({ clsNumList: train.classCounts }) }),
    'unimix-bayias': ({ train }) => ({ objective: mixed(unimix({ clsNumList: train.classCounts, alpha: ALPHA, tau: TAU }), bayias({ clsNumList: train.classCounts })) }),
  },
  settings: () => `mixup: alpha 1, one share a batch; UniMix: alpha ${ALPHA}, tau ${TAU}, as the published code for CIFAR-10, to the last epoch; nothing was searched. ECE of 15 bins, of the logits as they are.`,
  asked: [
    { metric: 'balancedAccuracy', label: 'balanced accuracy', baseline: 'ce', method: 'unimix-bayias', margin: LEAD },
    { metric: 'ece', label: 'ECE', baseline: 'ce', method: 'unimix-bayias', lowerIsBetter: true, margin: 0 },
  ],
  beside: (['mixup', 'unimix', 'bayias'] as const).flatMap((baseline) => [
    { metric: 'balancedAccuracy', label: 'balanced accuracy', baseline, method: 'unimix-bayias' as const },
    { metric: 'ece', label: 'ECE', baseline, method: 'unimix-bayias' as const },
  ]),
  full: { batchSize: 64 },
});
