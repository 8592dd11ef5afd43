/** A loss of your own, and what all losses share. */
export { adjustedCrossEntropy, type AdjustedCrossEntropyOptions } from './adjusted-cross-entropy.ts';
export { asLoss, defineLoss, type LossDefinition, type LossTables, type LossTensors } from './define.ts';
export { deviceTable, type DeviceTable } from './device-table.ts';
export { defineKernelLoss, type KernelLossDefinition, type LossKernel, type LossKernelInputs } from './kernel-loss.ts';
export type { Loss, LossFunction, LossInputs, LossOptions } from './loss.ts';

/** Cross-entropy, and losses built from others. */
export { combined } from './normalized.ts';
export { crossEntropy, type CrossEntropyLossOptions } from './cross-entropy.ts';
export { singleLogit } from './single-logit.ts';

/** Long-tail: class imbalance, by margins, shifts and factors of the logits, or by weights. */
export { bayias, type BayiasOptions } from './bayias.ts';
export { cdb, cdbTau, cdbWeights, type Cdb, type CdbOptions, type CdbWeightsOptions } from './cdb.ts';
export {
  classBalancedCrossEntropy,
  classBalancedFocal,
  type ClassBalancedFocalOptions,
  type ClassBalancedOptions,
} from './class-balanced.ts';
export {
  effectiveNumberWeights,
  inverseFrequencyWeights,
  inverseSqrtWeights,
  ldamMargins,
  smoothWeights,
} from './class-weights.ts';
export { equalization, type EqualizationOptions } from './equalization.ts';
export { focal, type FocalOptions } from './focal.ts';
export {
  influenceBalanced,
  influenced,
  type InfluenceBalancedLoss,
  type InfluenceBalancedOptions,
  type InfluencedOptions,
} from './influence-balanced.ts';
export {
  labelAwareSmoothing,
  labelSmoothings,
  type LabelAwareSmoothingOptions,
  type LabelSmoothingsOptions,
} from './label-aware-smoothing.ts';
export { ldam, type LdamOptions } from './ldam.ts';
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

/** Noisy labels: losses that wrong labels move little, and memories of what was learnt before them. */
export {
  alphaLoss,
  alphaSchedule,
  untilt,
  type AlphaLoss,
  type AlphaLossOptions,
  type AlphaScheduleOptions,
} from './alpha-loss.ts';
export { biTempered, temperedSoftmax, type BiTemperedOptions } from './bi-tempered.ts';
export { cores, coresBeta, coresPrior, type Cores, type CoresOptions } from './cores.ts';
export { elr, type Elr, type ElrOptions } from './elr.ts';
export { jensenShannon, type JensenShannonOptions } from './jensen-shannon.ts';
export { logitClamp, type LogitClampOptions } from './logit-clamp.ts';
export { clipLogits, logitClip, type LogitClip, type LogitClipOptions } from './logit-clip.ts';
export { logitPenalty } from './logit-penalty.ts';
export { negativeLearning } from './negative-learning.ts';
export { nce, nfl, ngce, type NflOptions, type NgceOptions } from './normalized.ts';
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
export { backwardCorrection, forwardCorrection, type TransitionCorrectionOptions } from './transition-correction.ts';
export { truncatedGce, type TruncatedGce, type TruncatedGceOptions } from './truncated-gce.ts';

/** Calibration: losses whose probabilities can be trusted. */
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
export { logitNorm, normalizeLogits, type LogitNormOptions } from './logit-norm.ts';
export { mbls, type MblsOptions } from './mbls.ts';
export { mmce, type MmceOptions } from './mmce.ts';
export type { CalsHrState, CalsState, LogitRows } from './multiplier-rules.ts';

/** Groups and rows: losses that weigh groups, or rows by their loss. */
export { absgd, type Absgd, type AbsgdOptions, type AbsgdState } from './absgd.ts';
export { groupDro, type GroupDro, type GroupDroOptions } from './group-dro.ts';
export { binaryVs, groupVs, type BinaryVsOptions, type GroupLoss, type GroupVsOptions } from './group-vs.ts';
export { grouped } from './grouped.ts';
export { klDro } from './kl-dro.ts';

/** Sets of labels: top-k and average-k. */
export { noisedTopK, type NoisedTopK, type NoisedTopKOptions } from './noised-top-k.ts';
export { splitHeads, twoHead, type TwoHeadOptions } from './two-head.ts';

/** Lipschitz nets: hinges of the margin. */
export { linfHinge, type LinfHingeOptions } from './linf-hinge.ts';
export { linfMargin, type LinfMarginLoss, type LinfMarginOptions } from './linf-margin.ts';

/** Objectives: what sees the inputs, or moves from step to step, for `fit({ objective })`. */
export type { Objective, ObjectiveInputs, ObjectiveMoment } from './objective.ts';
export { scheduledLoss } from './scheduled-loss.ts';

/** Mixing: objectives on blended samples. */
export { cutmix } from './cutmix.ts';
export { manifoldMixup, type ManifoldMixupOptions } from './manifold-mixup.ts';
export { mixed, mixedLoss, type MixedOptions, type Mixing, type MixingInputs, type Mixture } from './mixing.ts';
export { mixup, type MixupOptions } from './mixup.ts';
export { remix, remixWeight, type RemixOptions, type RemixWeightOptions } from './remix.ts';
export { unimix, unimixFactor, unimixPartnerProbabilities, type UnimixOptions } from './unimix.ts';

/** Theory: bounds and minimisers, on the host. */
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
export {
  logitClipBounds,
  symmetricNoiseExcess,
  type LogitClipBounds,
  type LogitClipBoundsOptions,
} from './logit-clip-theory.ts';
