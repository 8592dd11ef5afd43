export { linfHead, type LinfHeadObjective, type LinfHeadOptions } from './lipschitz/linf-head.ts';
export { linfHinge, type LinfHingeOptions } from './lipschitz/linf-hinge.ts';
export { linfMargin, type LinfMarginLoss, type LinfMarginOptions } from './lipschitz/linf-margin.ts';
export { cutmix } from './mixing/cutmix.ts';
export { manifoldMixup, type ManifoldMixupOptions } from './mixing/manifold-mixup.ts';
export { mixed, mixedLoss, type MixedOptions, type Mixing, type MixingInputs, type Mixture } from './mixing/mixing.ts';
export { mixup, type MixupOptions } from './mixing/mixup.ts';
export { remix, remixWeight, type RemixOptions, type RemixWeightOptions } from './mixing/remix.ts';
export { unimix, unimixFactor, unimixPartnerProbabilities, type UnimixOptions } from './mixing/unimix.ts';
export { catRs, catRsTerms, type CatRsInputs, type CatRsOptions, type CatRsTerms } from './smoothing/cat-rs.ts';
export {
  consistency,
  consistencyTerm,
  consistencyTerms,
  type ConsistencyOptions,
  type ConsistencyTermOptions,
  type ConsistencyTerms,
} from './smoothing/consistency.ts';
export { gaussian, gaussianTerms } from './smoothing/gaussian.ts';
export { macer, macerTerms, type MacerOptions, type MacerTerms } from './smoothing/macer.ts';
export type { LossTerms, NoiseOptions, NoisyInputs } from './smoothing/noisy-inputs.ts';
export {
  smoothAdv,
  smoothAdvTerms,
  type SmoothAdvAttack,
  type SmoothAdvOptions,
  type SmoothAdvTerms,
} from './smoothing/smooth-adv.ts';
export {
  smoothMix,
  smoothMixTerms,
  type SmoothMixInputs,
  type SmoothMixOptions,
  type SmoothMixTerms,
} from './smoothing/smooth-mix.ts';
export { stability, stabilityTerms, type StabilityOptions, type StabilityTerms } from './smoothing/stability.ts';
