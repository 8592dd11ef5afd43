export { fitTemperature, softmaxRows, type TemperatureFit } from './temperature.ts';
export { temperatureScaling, type LogitModel, type TemperatureScaled } from './temperature-scaling.ts';
export {
  affine,
  fitMatrix,
  fitVector,
  temperatureCalibrator,
  type AffineState,
  type MatrixOptions,
  type VectorOptions,
} from './affine.ts';
export {
  calibrated,
  type Calibrator,
  type FitOptions,
  type FittedCalibrator,
  type ScoreOptions,
} from './calibrator.ts';
export { loadCalibrator, type CalibratorState } from './load.ts';
export {
  fitBeta,
  fitHistogram,
  fitIsotonic,
  fitPlatt,
  type BetaMap,
  type HistogramMap,
  type HistogramOptions,
  type OneVsRestState,
  type PlattMap,
} from './one-vs-rest.ts';
export { ambiguity, errorCurves, type Ambiguity, type ErrorPoint } from './ambiguity.ts';
export {
  averageK,
  averageKOnDevice,
  type AverageKOptions,
  type AverageKState,
  type WeighedAverageKOptions,
} from './average-k.ts';
export {
  conformal,
  rapsSettings,
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
  type PredictSetsOptions,
  type SetPredictor,
  type SetReport,
  type TopKOptions,
  type TopKState,
} from './label-sets.ts';
export { loadSetPredictor, type SetPredictorState } from './load-sets.ts';
export { estimatePrior, type EstimatePriorOptions, type PriorEstimate } from './estimate-prior.ts';
export { logitAdjustment, type LogitAdjustmentOptions } from './logit-adjustment.ts';
export type { WeightOptions } from '../metrics/weights.ts';
