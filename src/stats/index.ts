export { logGamma } from './log-gamma.ts';
export { betaPdf, betaQuantile, incompleteBeta, logBeta } from './beta.ts';
export { normalCdf, normalLogCdf, normalPdf, normalQuantile } from './normal.ts';
export {
  binomialCdf,
  binomialPmf,
  binomialTest,
  clopperPearsonLower,
  clopperPearsonUpper,
  randomizedClopperPearsonLower,
} from './binomial.ts';
export {
  confidenceSequenceLower,
  confidenceSequenceUpper,
  logMixtureMartingale,
  sequentialSide,
} from './confidence-sequence.ts';
export { certifiedRadius, samplesForRadius } from './radius.ts';
export { roundDown, roundUp } from './rounding.ts';
export {
  cholesky,
  solveTriangular,
  type Cholesky,
  type CholeskyOptions,
  type Matrices,
  type Matrices64,
  type SolveTriangularOptions,
} from './cholesky.ts';
export {
  classStatistics,
  type ClassStatistics,
  type ClassStatisticsOptions,
  type RowMatrix,
} from './class-statistics.ts';
export {
  headToTail,
  ladc,
  missingCounts,
  nearestMeans,
  tukey,
  type Gaussians,
  type LadcClass,
  type LadcOptions,
  type NearestMeansOptions,
} from './feature-calibration.ts';
export { logisticRegression, type LinearClassifier, type LogisticRegressionOptions } from './logistic-regression.ts';
