export type { BaseClassifier } from './noisy-votes.ts';
export { ABSTAIN, type Certificates } from './certificates.ts';
export {
  Smooth,
  type CertifyOptions,
  type CountOptions,
  type SampleOptions,
  type SmoothCertificates,
  type SmoothOptions,
  type SmoothPredictions,
} from './smooth.ts';
export { formatCertificate, parseCertificates, type CertificateRow } from './certificate-table.ts';
export { certifyDataset, type CertifiedRow, type CertifyDatasetOptions } from './dataset.ts';
export { certifyMargin } from './linf-margin.ts';
export { catRs, catRsTerms, type CatRsInputs, type CatRsOptions, type CatRsTerms } from './cat-rs.ts';
export {
  consistency,
  consistencyTerm,
  consistencyTerms,
  type ConsistencyOptions,
  type ConsistencyTermOptions,
  type ConsistencyTerms,
} from './consistency.ts';
export { gaussian, gaussianTerms } from './gaussian.ts';
export { linfHead, type LinfHeadObjective, type LinfHeadOptions } from './linf-head.ts';
export { macer, macerTerms, type MacerOptions, type MacerTerms } from './macer.ts';
export type { LossTerms, NoiseOptions, NoisyInputs } from './noise.ts';
export {
  smoothAdv,
  smoothAdvTerms,
  type SmoothAdvAttack,
  type SmoothAdvOptions,
  type SmoothAdvTerms,
} from './smooth-adv.ts';
export {
  smoothMix,
  smoothMixTerms,
  type SmoothMixInputs,
  type SmoothMixOptions,
  type SmoothMixTerms,
} from './smooth-mix.ts';
export { smoothedPredictions, type SmoothedPredictionsOptions } from './smoothed-predictions.ts';
export { stability, stabilityTerms, type StabilityOptions, type StabilityTerms } from './stability.ts';
export {
  boxAround,
  certifyBounds,
  type BoxCertificates,
  type BoxOptions,
  type CertifyBoundsOptions,
} from './bounds.ts';
export { crownBounds, type CrownMethod } from './crown.ts';
export { intervalBounds } from './interval.ts';
export type { Interval } from './f32-error.ts';
export {
  certifyAtRadius,
  type AtRadius,
  type AtRadiusOptions,
  type Decision,
  type RadiusCertificates,
} from './at-radius.ts';
export type { DrawOptions, NoisyClassifier } from './draws.ts';
export { ensemble } from './ensemble.ts';
export { certifyInputSpecific, type InputSpecific, type InputSpecificOptions } from './input-specific.ts';
export { certifyStaged, type Staged, type StagedOptions } from './staged.ts';
