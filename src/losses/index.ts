export { absgd, type Absgd, type AbsgdOptions, type AbsgdState } from './absgd.ts';
export {
  effectiveNumberWeights,
  inverseFrequencyWeights,
  inverseSqrtWeights,
  ldamMargins,
  smoothWeights,
} from './class-weights.ts';
export { crossEntropy, type CrossEntropyLossOptions } from './cross-entropy.ts';
export { ldam, type LdamOptions } from './ldam.ts';
export type { Loss, LossInputs } from './loss.ts';
export type { Objective, ObjectiveInputs, ObjectiveMoment } from './objective.ts';
export { perSampleLoss, type PerSampleOptions } from './per-sample-loss.ts';
export { klDro } from './kl-dro.ts';
export { cdb, cdbTau, cdbWeights, type Cdb, type CdbOptions, type CdbWeightsOptions } from './cdb.ts';
export {
  classBalancedCrossEntropy,
  classBalancedFocal,
  type ClassBalancedFocalOptions,
  type ClassBalancedOptions,
} from './class-balanced.ts';
export { focal, type FocalOptions } from './focal.ts';
export { binaryVs, groupVs, type BinaryVsOptions, type GroupLoss, type GroupVsOptions } from './group-vs.ts';
export {
  labelAwareSmoothing,
  labelSmoothings,
  type LabelAwareSmoothingOptions,
  type LabelSmoothingsOptions,
} from './label-aware-smoothing.ts';
export { ldamHinge, type LdamHingeOptions } from './ldam-hinge.ts';
export {
  balancedSoftmax,
  cdt,
  logitAdjusted,
  vs,
  vsAdjustments,
  type AdjustedLossOptions,
  type CdtOptions,
  type LogitAdjustedOptions,
  type VsOptions,
} from './vs.ts';
export {
  alphaLoss,
  alphaSchedule,
  untilt,
  type AlphaLoss,
  type AlphaLossOptions,
  type AlphaScheduleOptions,
} from './alpha-loss.ts';
export {
  alphaBounds,
  alphaInflection,
  alphaMarginLoss,
  alphaMinimalRisk,
  alphaMinimiser,
  gaussianAlphaRisk,
  slqcRadius,
  slqcTransfer,
  type AlphaBounds,
  type GaussianClass,
  type MarginLoss,
  type SlqcKnown,
} from './alpha-theory.ts';
export { cores, coresBeta, coresPrior, type Cores, type CoresOptions } from './cores.ts';
export { backwardCorrection, forwardCorrection, type TransitionCorrectionOptions } from './transition-correction.ts';
export { biTempered, temperedSoftmax, type BiTemperedOptions } from './bi-tempered.ts';
export { jensenShannon, type JensenShannonOptions } from './jensen-shannon.ts';
export { negativeLearning } from './negative-learning.ts';
export { elr, type Elr, type ElrOptions } from './elr.ts';
export { scheduledLoss } from './scheduled-loss.ts';
export { truncatedGce, type TruncatedGce, type TruncatedGceOptions } from './truncated-gce.ts';
export { clipLogits, logitClip, type LogitClip, type LogitClipOptions } from './logit-clip.ts';
export {
  logitClipBounds,
  symmetricNoiseExcess,
  type LogitClipBounds,
  type LogitClipBoundsOptions,
} from './logit-clip-theory.ts';
export { logitClamp, type LogitClampOptions } from './logit-clamp.ts';
export { logitNorm, normalizeLogits, type LogitNormOptions } from './logit-norm.ts';
export { logitPenalty } from './logit-penalty.ts';
export { combined, nce, nfl, ngce, type NflOptions, type NgceOptions } from './normalized.ts';
export {
  ael,
  agce,
  aul,
  gce,
  mae,
  phuberCE,
  phuberGCE,
  rce,
  sce,
  taylorCE,
  type AelOptions,
  type AsymmetricOptions,
  type GceOptions,
  type PhuberGceOptions,
  type PhuberOptions,
  type ScaledOptions,
  type SceOptions,
  type TaylorOptions,
} from './robust.ts';
export { singleLogit } from './single-logit.ts';
export { noisedTopK, type NoisedTopK, type NoisedTopKOptions } from './noised-top-k.ts';
export { splitHeads, twoHead, type TwoHeadOptions } from './two-head.ts';
export { linfHinge, type LinfHingeOptions } from './linf-hinge.ts';
export { linfMargin, type LinfMarginLoss, type LinfMarginOptions } from './linf-margin.ts';
export {
  influenceBalanced,
  influenced,
  type InfluenceBalancedLoss,
  type InfluenceBalancedOptions,
  type InfluencedOptions,
} from './influence-balanced.ts';
export { manifoldMixup, type ManifoldMixupOptions } from './manifold-mixup.ts';
export { bayias, type BayiasOptions } from './bayias.ts';
export { cutmix } from './cutmix.ts';
export { mixed, mixedLoss, type MixedOptions, type Mixing, type MixingInputs, type Mixture } from './mixing.ts';
export { mixup, type MixupOptions } from './mixup.ts';
export { remix, remixWeight, type RemixOptions, type RemixWeightOptions } from './remix.ts';
export { unimix, unimixFactor, unimixPartnerProbabilities, type UnimixOptions } from './unimix.ts';
export { almPenalty, type AlmPenalty } from './alm-penalty.ts';
export { brier } from './brier.ts';
export {
  cals,
  calsHr,
  type Cals,
  type CalsHr,
  type CalsHrOptions,
  type CalsOptions,
  type LogitSource,
  type MultiplierLoss,
} from './cals.ts';
export { entropyPenalty, l1Penalty, type EntropyPenaltyOptions, type L1PenaltyOptions } from './confidence-penalty.ts';
export { cpc, type CpcOptions } from './cpc.ts';
export { focalAdaptive, type FocalAdaptiveOptions } from './focal-adaptive.ts';
export { mbls, type MblsOptions } from './mbls.ts';
export { mmce, type MmceOptions } from './mmce.ts';
export type { CalsHrState, CalsState, LogitRows } from './multiplier-rules.ts';
export { equalization, type EqualizationOptions } from './equalization.ts';
export { groupDro, type GroupDro, type GroupDroOptions } from './group-dro.ts';
export { grouped } from './grouped.ts';
