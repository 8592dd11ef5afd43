export { classProbabilities, difficultyProbabilities, progressiveProbabilities, type DifficultyOptions, type SamplingRule } from './class-probabilities.ts';
export { makeDataset, subset, type Dataset, type DatasetOptions } from './dataset.ts';
export { loadIdx, type IdxSource, type LoadIdxOptions } from './idx-dataset.ts';
export { longTail, longTailCounts, type ImbalanceType, type LongTailCountsOptions, type LongTailOptions } from './long-tail.ts';
export { random32, randomBelow, shuffledIndices, shuffleInPlace, type Random32 } from './shuffle.ts';
export {
  cdbSampler, classAwareSampler, classBalancedSampler, classSampler, drs, instanceSampler, progressiveSampler, squareRootSampler,
  type CdbSampler, type ClassSamplerOptions, type DrsOptions, type Labelled, type Sampler, type SamplerMoment,
} from './sampler.ts';
export { split, type Split, type SplitOptions } from './split.ts';
