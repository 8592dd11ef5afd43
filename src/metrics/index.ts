export { accuracy, balancedAccuracy, confusionMatrix, perClassAccuracy } from './accuracy.ts';
export { aurc, riskCoverage, type RiskCoverage } from './aurc.ts';
export type { BinOptions, ReliabilityBin } from './bins.ts';
export { bootstrapInterval, type BootstrapOptions, type ConfidenceInterval } from './bootstrap.ts';
export { brierDecomposition, brierScore, type BrierDecomposition } from './brier-score.ts';
export {
  calibrationError,
  classwiseCalibrationError,
  perClassCalibrationError,
  reliabilityDiagram,
  type CalibrationErrorOptions,
  type CalibrationNorm,
  type ClasswiseOptions,
  type ReliabilityOptions,
} from './calibration-error.ts';
export { averageCertifiedRadius, certifiedAccuracy, certifiedAccuracyHighProb, type Correct } from './certified.ts';
export { ksError } from './ks-error.ts';
export { nll } from './nll.ts';
export type { WeightOptions } from './weights.ts';
export { argmaxRows } from './predictions.ts';
export type { HostLabels, Labels, Matrix } from './matrix.ts';
export { shotAccuracy, type ShotAccuracy, type ShotOptions } from './shot-accuracy.ts';
export { balancedError } from './balanced-error.ts';
export { classReport, type ClassReport } from './class-report.ts';
export { equalOpportunityDifference, type EqualOpportunityOptions } from './equal-opportunity.ts';
export { gMean } from './g-mean.ts';
export { groupAccuracy, type GroupOptions } from './group-accuracy.ts';
export { groupBalancedError } from './group-balanced-error.ts';
export { macroF1 } from './macro-f1.ts';
export { worstClass } from './worst-class.ts';
export { worstGroup } from './worst-group.ts';
export { splitAccuracy, type SplitAccuracy } from './split-accuracy.ts';
export { areaUnderMargin, type AreaUnderMargin } from './area-under-margin.ts';
export { forgetting, type Forgetting } from './forgetting.ts';
export { confidentJoint, type ConfidentJoint } from './confident-joint.ts';
export { confidenceAuroc, overconfidence } from './confidence-quality.ts';
