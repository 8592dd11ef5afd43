export type { BaseClassifier } from './smoothing/noisy-votes.ts';
export { ABSTAIN, type Certificates } from './certificates.ts';
export {
  Smooth,
  type CertifyOptions,
  type CountOptions,
  type SampleOptions,
  type SmoothCertificates,
  type SmoothOptions,
  type SmoothPredictions,
} from './smoothing/smooth.ts';
export { formatCertificate, parseCertificates, type CertificateRow } from './smoothing/certificate-table.ts';
export { certifyDataset, type CertifiedRow, type CertifyDatasetOptions } from './smoothing/certify-dataset.ts';
export { certifyMargin } from './lipschitz/certify-margin.ts';
export { smoothedPredictions, type SmoothedPredictionsOptions } from './smoothing/smoothed-predictions.ts';
export {
  boxAround,
  certifyBounds,
  type BoxCertificates,
  type BoxOptions,
  type CertifyBoundsOptions,
} from './bounds/bounds.ts';
export { crownBounds, type CrownMethod } from './bounds/crown.ts';
export { intervalBounds } from './bounds/interval.ts';
export type { Interval } from './f32-error.ts';
export {
  certifyAtRadius,
  type AtRadius,
  type AtRadiusOptions,
  type Decision,
  type RadiusCertificates,
} from './smoothing/at-radius.ts';
export type { DrawOptions, NoisyClassifier } from './smoothing/draws.ts';
export { ensemble } from './smoothing/ensemble.ts';
export { certifyInputSpecific, type InputSpecific, type InputSpecificOptions } from './smoothing/input-specific.ts';
export { certifyStaged, type Staged, type StagedOptions } from './smoothing/staged.ts';
