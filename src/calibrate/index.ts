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
export { estimatePrior, type EstimatePriorOptions, type PriorEstimate } from './estimate-prior.ts';
export { logitAdjustment, type LogitAdjustmentOptions } from './logit-adjustment.ts';
export type { WeightOptions } from '../metrics/weights.ts';
