import { any, check, integer } from '../check/check.ts';
import { random32, type Random32 } from './shuffle.ts';

/** Noise models, each with streams of its own: at one seed they take up samples independently of each other. */
const MODELS = {
  symmetricNoise: 0,
  asymmetricNoise: 1,
  pairFlipNoise: 2,
  randomRelabelling: 3,
  transitionNoise: 4,
  'instanceNoise cores': 5,
  'instanceNoise logitclip': 6,
  openSetNoise: 7,
} as const;

/** A model that {@link noiseStreams} knows. */
export type NoiseModel = keyof typeof MODELS;

/** First stream of the noise models; those of samplers begin at 2^32. */
const FIRST = 2 ** 24;

/** Streams of one model: two and one for each class. */
const PER_MODEL = 2 ** 20;

/** Largest `stream`. */
const LAST = 254;

/** The draw of a noise model: the same numbers give the same noise. */
export interface NoiseDraw {
  /** Default: 0. */
  seed?: number;
  /** An integer in 0..254; one model at one seed draws independently in each. Default: 0. */
  stream?: number;
}

/** Rules of {@link NoiseDraw}. */
export const DRAW = { seed: any, stream: integer(0, LAST) } as const;

/**
 * The random numbers of a noise model by their use: 0 values, 1 which samples, 2 + c which samples of class c.
 * Throws RangeError on a stream outside 0..254.
 */
export function noiseStreams(model: NoiseModel, { seed = 0, stream = 0 }: NoiseDraw): (use: number) => Random32 {
  check(model.split(' ')[0]!, { stream }, DRAW.stream);
  return (use) => random32(seed, FIRST * (1 + stream) + MODELS[model] * PER_MODEL + use);
}

/** Child of the key of a seed that belongs to a model and a stream, for draws by key. */
export function noiseChild(model: NoiseModel, stream: number): number {
  check(model.split(' ')[0]!, { stream }, DRAW.stream);
  return FIRST * (1 + stream) + MODELS[model];
}
