export type { Moment } from '../check/moment.ts';
export { adagrad, type AdagradGroup, type AdagradOptions } from './adagrad.ts';
export { adam, adamW, type AdamGroup, type AdamOptions } from './adam.ts';
export { AveragedWeights, ema, swa, type WeightAverage } from './average.ts';
export { clipGradNorm, clipGradValue, type ClipGradNormOptions, type NormClippedOptimizer } from './clip.ts';
export { gradScaler, LossScale, type GradScalerOptions, type LossScaleState } from './grad-scaler.ts';
export { lamb, type LambOptions } from './lamb.ts';
export { lpDecayAdamW, type LpDecayOptions } from './lp-decay.ts';
export type {
  Optimizer,
  OptimizerState,
  ParameterArena,
  ParameterGroup,
  SavedState,
  Segment,
  SharedOptions,
  Trainable,
} from './optimizer.ts';
export type { ParameterSelection } from '../tensor/selection.ts';
export { rmsprop, type RmspropGroup, type RmspropOptions } from './rmsprop.ts';
export { sam, type SamOptions } from './sam.ts';
export { loadState, saveState } from './saved-state.ts';
export {
  cosineLr,
  cosineWarmRestartsLr,
  linearLr,
  oneCycleLr,
  polynomialLr,
  swaLr,
  cosineWarmupLr,
  type Anneal,
  type OneCycleLrOptions,
} from './schedule-anneal.ts';
export {
  lambdaLr,
  drw,
  exponentialLr,
  multiStepLr,
  stepLr,
  warmupLr,
  type DrwOptions,
  type Schedule,
  type Unit,
} from './schedule.ts';
export { sgd, type SgdGroup, type SgdOptions } from './sgd.ts';
export { linfSchedule, type LinfSchedule, type LinfScheduleOptions, type LinfValues } from './schedule-linf.ts';
