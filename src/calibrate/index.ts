export { fitTemperature, softmaxRows } from './temperature.ts';
export { temperatureScaling, type LogitModel, type TemperatureScaled } from './temperature-scaling.ts';
export { affine, fitMatrix, fitVector, temperatureCalibrator, type AffineState, type MatrixOptions, type VectorOptions } from './affine.ts';
export { calibrated, type Calibrator, type FittedCalibrator, type ScoreOptions } from './calibrator.ts';
export { loadCalibrator, type CalibratorState } from './load.ts';
export { fitBeta, fitHistogram, fitIsotonic, fitPlatt, type BetaMap, type HistogramMap, type HistogramOptions, type OneVsRestState, type PlattMap } from './one-vs-rest.ts';
export { averageK, predictSets, setError, type AverageKOptions, type LabelSets } from './average-k.ts';
