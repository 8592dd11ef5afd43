export { softmaxRows } from './temperature.ts';
export { temperatureScaling, type TemperatureCalibrator } from './temperature-scaling.ts';
export {
  matrixScaling,
  vectorScaling,
  type AffineCalibrator,
  type AffineState,
  type FittedAffine,
  type MatrixScalingOptions,
  type VectorScalingOptions,
} from './affine.ts';
export type {
  CalibratedModel,
  CalibrationMethod,
  Calibrator,
  FittedCalibrator,
  LogitModel,
  ScoreOptions,
} from './calibrator.ts';
export { loadCalibrator, type CalibratorState } from './load.ts';
export {
  betaCalibration,
  histogramBinning,
  isotonicRegression,
  plattScaling,
  type BetaMap,
  type FittedOneVsRest,
  type HistogramBinningOptions,
  type HistogramMap,
  type OneVsRestState,
  type PlattMap,
} from './one-vs-rest.ts';
export { ambiguity, errorCurves, type Ambiguity, type AmbiguityOptions, type ErrorPoint } from './ambiguity.ts';
export { averageK, type AverageKMethod, type AverageKOptions, type AverageKState } from './average-k.ts';
export {
  conformal,
  rapsSettings,
  type ConformalMethod,
  type ConformalOptions,
  type ConformalPredictor,
  type ConformalScore,
  type ConformalState,
  type RapsSettings,
} from './conformal.ts';
export {
  evaluateSets,
  expectedSetError,
  setError,
  topK,
  type LabelSets,
  type SetPredictor,
  type SetReport,
  type SetsOptions,
  type TopKOptions,
  type TopKState,
} from './label-sets.ts';
export { loadSetPredictor, type SetPredictorState } from './load-sets.ts';
export { estimatePrior, type EstimatePriorOptions, type PriorEstimate } from './estimate-prior.ts';
export { logitAdjustment, type LogitAdjustmentOptions } from './logit-adjustment.ts';
export type { WeightOptions } from '../metrics/weights.ts';
