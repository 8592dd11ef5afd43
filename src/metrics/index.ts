export { accuracy, balancedAccuracy, confusionMatrix, perClassAccuracy } from './accuracy.ts';
export { calibrationError, reliabilityDiagram, type ReliabilityBin } from './calibration-error.ts';
export { averageCertifiedRadius, certifiedAccuracy, certifiedAccuracyHighProb, type Correct } from './certified.ts';
export { nll } from './nll.ts';
export { argmaxRows } from './predictions.ts';
export type { Labels, Matrix } from './rows.ts';
export { shotAccuracy, type ShotAccuracy, type ShotOptions } from './shot-accuracy.ts';
