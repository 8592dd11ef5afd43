export { effectiveNumberWeights, inverseFrequencyWeights, ldamMargins } from './class-weights.ts';
export { crossEntropy, type CrossEntropyLossOptions } from './cross-entropy.ts';
export { ldam, type LdamOptions } from './ldam.ts';
export type { Loss, LossInputs } from './loss.ts';
export { perSampleLoss, type PerSampleOptions } from './per-sample-loss.ts';
