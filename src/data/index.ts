export { cropFlip, type Augmentation, type CropFlipOptions } from './augment.ts';
export {
  classProbabilities,
  difficultyProbabilities,
  progressiveProbabilities,
  type DifficultyOptions,
  type SamplingRule,
} from './class-probabilities.ts';
export { makeDataset, subset, type Dataset, type DatasetOptions } from './dataset.ts';
export {
  CIFAR10_STATISTICS,
  loadCifar10,
  loadCifar100,
  normalizeChannels,
  type LoadCifar100Options,
  type LoadCifarOptions,
} from './cifar-dataset.ts';
export { loadCsv, type LoadCsvOptions, type NamedDataset } from './csv-dataset.ts';
export { loadIdx, type LoadIdxOptions } from './idx-dataset.ts';
export { loadImageFolder, type LoadImageFolderOptions, type Pixels } from './image-folder.ts';
export { loadNpy, loadNpz, type LoadNpzOptions } from './npz-dataset.ts';
export { type Source } from './source.ts';
export {
  instanceNoise,
  instanceProbabilities,
  truncatedNormalQuantile,
  type InstanceNoise,
  type InstanceNoiseOptions,
  type InstanceProbabilitiesOptions,
} from './instance-noise.ts';
export {
  asymmetricNoise,
  openSetNoise,
  pairFlipNoise,
  randomRelabelling,
  recordedNoise,
  splitByMask,
  symmetricNoise,
  transitionNoise,
  type AsymmetricNoiseOptions,
  type ClassNoise,
  type CleanLabels,
  type LabelNoiseOptions,
  type NoisyLabels,
  type OpenSetNoise,
  type SymmetricNoiseOptions,
} from './label-noise.ts';
export {
  confusions,
  confusionTransition,
  relabellingTransition,
  symmetricTransition,
  type ConfusionName,
  type Confusions,
  type Transition,
} from './transition.ts';
export { composeNoise, type ComposedNoise, type NoiseStep } from './compose-noise.ts';
export { type NoiseDraw } from './noise-streams.ts';
export {
  longTail,
  longTailCounts,
  type ImbalanceType,
  type LongTailCountsOptions,
  type LongTailOptions,
} from './long-tail.ts';
export { random32, randomBelow, randomUnit, shuffledIndices, shuffleInPlace, type Random32 } from './shuffle.ts';
export { cdbSampler, type CdbSampler } from './cdb-sampler.ts';
export { classAwareSampler } from './class-aware-sampler.ts';
export {
  classBalancedSampler,
  classSampler,
  drs,
  instanceSampler,
  progressiveSampler,
  squareRootSampler,
  type ClassSamplerOptions,
  type DrsOptions,
  type Labelled,
  type SampledEpoch,
  type Sampler,
} from './sampler.ts';
export { randomSplit, type RandomSplit, type RandomSplitOptions } from './random-split.ts';
