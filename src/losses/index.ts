/** A loss of your own, and what all losses share. */
export { adjustedCrossEntropy, type AdjustedCrossEntropyOptions } from './adjusted-cross-entropy.ts';
export { asLoss, defineLoss, type LossDefinition, type LossTables, type LossTensors } from './define.ts';
export { deviceTable, type DeviceTable } from './device-table.ts';
export { defineKernelLoss, type KernelLossDefinition, type LossKernel, type LossKernelInputs } from './kernel-loss.ts';
export type { Loss, LossFunction, LossInputs, LossOptions } from './loss.ts';

/** Cross-entropy, and losses built from others. */
export { combined } from './noisy-labels/normalized.ts';
export { crossEntropyLoss, type CrossEntropyLossOptions } from './cross-entropy-loss.ts';
export { singleLogit } from './single-logit.ts';

/** Long-tail: class imbalance, by margins, shifts and factors of the logits, or by weights. */
export { bayias, type BayiasOptions } from './long-tail/bayias.ts';
export {
  cdb,
  cdbTau,
  cdbWeights,
  type Cdb,
  type CdbOptions,
  type CdbState,
  type CdbWeightsOptions,
} from './long-tail/cdb.ts';
export {
  classBalancedCrossEntropy,
  classBalancedFocal,
  type ClassBalancedFocalOptions,
  type ClassBalancedOptions,
} from './long-tail/class-balanced.ts';
export {
  effectiveNumberWeights,
  inverseFrequencyWeights,
  inverseSqrtWeights,
  ldamMargins,
  smoothWeights,
} from '../stats/class-weights.ts';
export { equalization, type EqualizationOptions } from './long-tail/equalization.ts';
export { focal, type FocalOptions } from './long-tail/focal.ts';
export {
  influenceBalanced,
  influenced,
  type InfluenceBalancedLoss,
  type InfluenceBalancedOptions,
  type InfluencedOptions,
} from './long-tail/influence-balanced.ts';
export {
  labelAwareSmoothing,
  labelSmoothings,
  type LabelAwareSmoothingOptions,
  type LabelSmoothingsOptions,
} from './long-tail/label-aware-smoothing.ts';
export { ldam, type LdamOptions } from './long-tail/ldam.ts';
export { ldamHinge, type LdamHingeOptions } from './long-tail/ldam-hinge.ts';
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
} from './long-tail/vs.ts';

/** Noisy labels: losses that wrong labels move little, and memories of what was learnt before them. */
export {
  alphaLoss,
  alphaSchedule,
  untilt,
  type AlphaLoss,
  type AlphaLossOptions,
  type AlphaScheduleOptions,
} from './noisy-labels/alpha-loss.ts';
export { biTempered, temperedSoftmax, type BiTemperedOptions } from './noisy-labels/bi-tempered.ts';
export { cores, coresBeta, coresPrior, type Cores, type CoresOptions } from './noisy-labels/cores.ts';
export { elr, type Elr, type ElrOptions } from './noisy-labels/elr.ts';
export { jensenShannon, type JensenShannonOptions } from './noisy-labels/jensen-shannon.ts';
export { logitClamp, type LogitClampOptions } from './noisy-labels/logit-clamp.ts';
export { clipLogits, logitClip, type LogitClip, type LogitClipOptions } from './noisy-labels/logit-clip.ts';
export { logitPenalty } from './noisy-labels/logit-penalty.ts';
export { negativeLearning } from './noisy-labels/negative-learning.ts';
export { nce, nfl, ngce, type NflOptions, type NgceOptions } from './noisy-labels/normalized.ts';
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
} from './noisy-labels/robust.ts';
export {
  backwardCorrection,
  forwardCorrection,
  type TransitionCorrectionOptions,
} from './noisy-labels/transition-correction.ts';
export { truncatedGce, type TruncatedGce, type TruncatedGceOptions } from './noisy-labels/truncated-gce.ts';

/** Calibration: losses whose probabilities can be trusted. */
export { almPenalty, type AlmPenalty } from './calibration/alm-penalty.ts';
export { brierLoss } from './calibration/brier.ts';
export {
  cals,
  calsHr,
  type Cals,
  type CalsHr,
  type CalsHrOptions,
  type CalsOptions,
  type LogitSource,
  type MultiplierHook,
  type MultiplierLoss,
} from './calibration/cals.ts';
export {
  entropyPenalty,
  l1Penalty,
  type EntropyPenaltyOptions,
  type L1PenaltyOptions,
} from './calibration/confidence-penalty.ts';
export { cpc, type CpcOptions } from './calibration/cpc.ts';
export { focalAdaptive, type FocalAdaptiveOptions } from './calibration/focal-adaptive.ts';
export { logitNorm, normalizeLogits, type LogitNormOptions } from './noisy-labels/logit-norm.ts';
export { mbls, type MblsOptions } from './calibration/mbls.ts';
export { mmce, type MmceOptions } from './calibration/mmce.ts';
export type { CalsHrState, CalsState, LogitRows } from './calibration/multiplier-rules.ts';

/** Groups and rows: losses that weigh groups, or rows by their loss. */
export { absgd, type Absgd, type AbsgdOptions, type AbsgdState } from './long-tail/absgd.ts';
export { groupDro, type GroupDro, type GroupDroOptions } from './groups/group-dro.ts';
export { binaryVs, groupVs, type BinaryVsOptions, type GroupLoss, type GroupVsOptions } from './groups/group-vs.ts';
export { grouped } from './groups/grouped.ts';
export { klDro } from './groups/kl-dro.ts';

/** Sets of labels: top-k and average-k. */
export { noisedTopK, type NoisedTopK, type NoisedTopKOptions } from './long-tail/noised-top-k.ts';
export { splitHeads, twoHead, type TwoHeadOptions } from './two-head.ts';

/** Objectives: what sees the inputs, or moves from step to step, for `fit({ objective })`. */
export type { Objective, ObjectiveInputs } from './objective.ts';
export { scheduledLoss } from './scheduled-loss.ts';

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
} from './noisy-labels/alpha-theory.ts';
export {
  logitClipBounds,
  symmetricNoiseExcess,
  type LogitClipBounds,
  type LogitClipBoundsOptions,
} from './noisy-labels/logit-clip-theory.ts';
