import { expectOptions } from '../check/options.ts';
import { certifiedRadius, clopperPearsonLower, clopperPearsonUpper, samplesForRadius } from '../stats/index.ts';
import type { Decision } from './at-radius.ts';
import { drawCounts, expectInteger, expectLevel, expectSigma, topClass, type Draw } from './draws.ts';

/** Options of {@link certifyStaged}. */
export interface StagedOptions {
  /** Standard deviation of the noise. */
  sigma: number;
  /** The l2 radius asked for, in units of the input. */
  radius: number;
  /** Copies that choose the class. Default: 100. */
  n0?: number;
  /** Copies of each stage. Default: 1,000, 10,000, 100,000. */
  stages?: readonly number[];
  /** Probability of a false certificate. Default: 0.001. */
  alpha?: number;
  /** Probability that a stage before the last gives up although the radius is within reach. Default: 0.0001. */
  beta?: number;
  signal?: AbortSignal;
}

/** The answer of {@link certifyStaged}. */
export interface Staged {
  decision: Decision;
  /** The class that n0 copies chose; ABSTAIN when none of them got a class. */
  label: number;
  /** Certified radius of the last stage, which may exceed the one asked for; 0 unless certified. Rounded down. */
  radius: number;
  /** Copies drawn, n0 included. */
  samples: number;
  /** Stages run. */
  stages: number;
}

/**
 * "Is it robust at this radius?" in stages of growing size: certified by the first whose bound reaches the radius,
 * given up by the first that shows it out of reach, open after the last. Horvath et al., "Boosting randomized smoothing
 * with variance reduced classifiers", ICLR 2022.
 *
 * Soundness. Each of the m stages draws fresh copies and bounds the probability of the class from below at level
 * alpha/m (Clopper-Pearson). A false certificate needs one of these bounds to be above the truth: by the union bound at
 * most alpha, whatever decides which stages run. In the same way the upper bounds at beta/(m - 1) make a wrong
 * rejection at most beta; it costs a certificate and never makes one. Copies of different stages are not pooled.
 * Throws RangeError on options out of range, on stages none of which can certify the radius, and on counts that are not
 * those of n.
 */
export async function certifyStaged(draw: Draw, options: StagedOptions): Promise<Staged> {
  const what = 'certifyStaged';
  expectOptions(what, options, ['sigma', 'radius', 'n0', 'stages', 'alpha', 'beta', 'signal']);
  const { radius, n0 = 100, stages = [1000, 10_000, 100_000], alpha = 0.001, beta = 1e-4, signal } = options;
  const sigma = expectSigma(what, options.sigma);
  if (!(radius >= 0 && radius < Infinity))
    throw new RangeError(`${what}: radius is ${radius}, expected a finite number >= 0`);
  expectInteger(what, 'n0', n0, 1);
  expectInteger(what, 'the number of stages', stages.length, 1);
  for (const n of stages) expectInteger(what, 'a stage', n, 1);
  expectLevel(what, 'alpha', alpha);
  expectLevel(what, 'beta', beta);
  const most = Math.max(...stages);
  const share = alpha / stages.length;
  const best = clopperPearsonLower(most, most, share);
  if (!(best > 0.5 && certifiedRadius(best, sigma) >= radius)) {
    throw new RangeError(
      `${what}: the largest stage is ${most}, expected at least ` +
        `${samplesForRadius(radius, { sigma, alpha: share })} copies: even if all of fewer agree, radius ` +
        `${radius} is out of reach at alpha ${alpha}`,
    );
  }
  signal?.throwIfAborted();
  const label = topClass(await drawCounts(what, draw, n0));
  let samples = n0;
  for (const [i, n] of stages.entries()) {
    signal?.throwIfAborted();
    const hits = (await drawCounts(what, draw, n))[label] ?? 0;
    samples += n;
    const pLower = clopperPearsonLower(hits, n, share);
    const reached = certifiedRadius(pLower, sigma);
    // Above 1/2 also at radius 0, where the radius of an abstention would do.
    if (pLower > 0.5 && reached >= radius)
      return { decision: 'certified', label, radius: reached, samples, stages: i + 1 };
    if (i === stages.length - 1) break;
    const pUpper = clopperPearsonUpper(hits, n, beta / (stages.length - 1));
    if (pUpper < 0.5 || (pUpper < 1 && certifiedRadius(pUpper, sigma) < radius))
      return { decision: 'rejected', label, radius: 0, samples, stages: i + 1 };
  }
  return { decision: 'abstained', label, radius: 0, samples, stages: stages.length };
}
