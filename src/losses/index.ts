export { absgd, type Absgd, type AbsgdOptions, type AbsgdState } from './absgd.ts';
export { effectiveNumberWeights, inverseFrequencyWeights, inverseSqrtWeights, ldamMargins, smoothWeights } from './class-weights.ts';
export { crossEntropy, type CrossEntropyLossOptions } from './cross-entropy.ts';
export { ldam, type LdamOptions } from './ldam.ts';
export type { Loss, LossInputs } from './loss.ts';
export type { Objective, ObjectiveInputs, ObjectiveMoment } from './objective.ts';
export { perSampleLoss, type PerSampleOptions } from './per-sample-loss.ts';
export { klDro } from './kl-dro.ts';
export { cdb, cdbTau, cdbWeights, type Cdb, type CdbOptions, type CdbWeightsOptions } from './cdb.ts';
export { classBalancedCrossEntropy, classBalancedFocal, focal, type ClassBalancedFocalOptions, type ClassBalancedOptions, type FocalOptions } from './focal.ts';
export { binaryVs, groupVs, type BinaryVsOptions, type GroupLoss, type GroupVsOptions } from './group-vs.ts';
export { labelAwareSmoothing, labelSmoothings, type LabelAwareSmoothingOptions, type LabelSmoothingsOptions } from './label-aware-smoothing.ts';
export { ldamHinge, type LdamHingeOptions } from './ldam-hinge.ts';
export { balancedSoftmax, cdt, logitAdjusted, vs, vsAdjustments, type AdjustedLossOptions, type CdtOptions, type LogitAdjustedOptions, type VsOptions } from './vs.ts';
export { alphaLoss, untilt, type AlphaLoss, type AlphaLossOptions } from './alpha-loss.ts';
export { clipLogits, logitClip, type LogitClip, type LogitClipOptions } from './logit-clip.ts';
export { combined, nce, nfl, ngce, type NflOptions, type NgceOptions } from './normalized.ts';
export {
  ael, agce, aul, gce, mae, phuberCE, phuberGCE, rce, sce, taylorCE, type AelOptions, type AsymmetricOptions, type GceOptions, type PhuberGceOptions, type PhuberOptions, type ScaledOptions, type SceOptions, type TaylorOptions,
} from './robust.ts';
export { singleLogit } from './single-logit.ts';
export { linfMargin, type LinfMarginLoss, type LinfMarginOptions } from './linf-margin.ts';
export { influenceBalanced, type InfluenceBalancedLoss, type InfluenceBalancedOptions } from './influence-balanced.ts';
export { bayias, type BayiasOptions } from './bayias.ts';
export { cutmix } from './cutmix.ts';
export { mixed, mixedLoss, type MixedOptions, type Mixing, type MixingInputs, type Mixture } from './mixing.ts';
export { mixup, type MixupOptions } from './mixup.ts';
export { remix, remixWeight, type RemixOptions, type RemixWeightOptions } from './remix.ts';
export { unimix, unimixFactor, unimixPartnerProbabilities, type UnimixOptions } from './unimix.ts';
