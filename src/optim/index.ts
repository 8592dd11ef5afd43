export { adam, type AdamOptions } from './adam.ts';
export type { Optimizer, OptimizerState, ParameterArena } from './optimizer.ts';
export { drw, multiStep, warmUp, type DrwOptions, type Moment, type Schedule } from './schedule.ts';
export { sgd, type SgdOptions } from './sgd.ts';
