export {
  drawGaussians,
  enrich,
  type DrawGaussiansOptions,
  type Enriched,
  type EnrichOptions,
  type Factoring,
} from './two-stage/enrich.ts';
export { epochScores, type EpochScore, type EpochScores, type EpochScoresOptions } from './epoch-scores.ts';
export { evaluate, type EvaluateOptions, type Evaluation, type Metric, type Predictor } from './evaluate.ts';
export { keepState, type Stateful } from './built-in-hooks.ts';
export { earlyStopping, type BestEpoch, type EarlyStopping, type EarlyStoppingOptions } from './early-stopping.ts';
export { fit } from './fit.ts';
export type { FitOptions } from './fit-options.ts';
export type { EpochReport, History, StepReport, ValidationScores } from './history.ts';
export type { Hook, Run } from './hook.ts';
export { modelCheckpoint, type ModelCheckpointOptions } from './model-checkpoint.ts';
export type { ValidationData } from './validation.ts';
export {
  selectBySusceptibility,
  susceptibility,
  susceptibilityCurve,
  type CurveOptions,
  type MeasureOptions,
  type PoolSelection,
  type ProbeInputs,
  type ProbeResult,
  type ProbeSource,
  type Region,
  type Susceptibility,
  type SusceptibilityOptions,
} from './susceptibility.ts';
export { TrainingStep, type TrainingOptions, type TrainingStepOptions } from './training-step.ts';
export { crt, type CrtOptions } from './two-stage/crt.ts';
export { featuresOf, linearHead, type HeadOptions } from './two-stage/heads.ts';
export { lws, type LwsOptions } from './two-stage/lws.ts';
export { nearestClassMean, type NearestClassMeanOptions } from './two-stage/nearest-class-mean.ts';
export { tauNorm, type TauNormOptions } from './two-stage/tau-norm.ts';
