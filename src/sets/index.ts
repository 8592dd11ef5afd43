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
  topKPredictor,
  type LabelSets,
  type SetPredictor,
  type SetReport,
  type SetsOptions,
  type TopKPredictorOptions,
  type TopKPredictorState,
} from './label-sets.ts';
export { loadSetPredictor, type SetPredictorState } from './load-sets.ts';
