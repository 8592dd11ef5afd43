export { drawGaussians, enrich, type DrawGaussiansOptions, type Enriched, type EnrichOptions, type Factoring } from './enrich.ts';
export { epochScores, type EpochScore, type EpochScores, type EpochScoresOptions } from './epoch-scores.ts';
export { evaluate, type Evaluation, type Predictor } from './evaluate.ts';
export { fit, type FitOptions } from './fit.ts';
export type { EpochReport, History, StepReport } from './history.ts';
export {
  selectBySusceptibility, susceptibility, susceptibilityCurve, type CurveOptions, type PoolSelection, type ProbeInputs, type ProbeMoment, type ProbeResult, type ProbeSource, type Region,
  type Susceptibility, type SusceptibilityOptions,
} from './susceptibility.ts';
export { TrainingStep, type TrainingStepOptions } from './training-step.ts';
export {
  crt, featuresOf, linearHead, lws, nearestClassMean, tauNorm, type CrtOptions, type HeadOptions, type LwsOptions, type NearestClassMeanOptions, type TauNormOptions,
} from './two-stage.ts';
