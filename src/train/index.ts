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
export { fit, type FitOptions } from './fit.ts';
export type { EpochReport, History, StepReport } from './history.ts';
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
