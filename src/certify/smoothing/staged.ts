import { atLeast, between, check, checkOptions, integer, listOf, nonEmpty, required } from '../../check/check.ts';
import { clopperPearsonLower, clopperPearsonUpper } from '../../stats/index.ts';
import { certifiedRadius, samplesForRadius } from '../../stats/radius.ts';
import type { ArrayInput } from '../../tensor/array-input.ts';
import { selecting, type RadiusCertificates } from './at-radius.ts';
import { DRAWS, drawing, type DrawOptions, type NoisyClassifier } from './draws.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

/** Options of {@link certifyStaged}. */
export interface StagedOptions extends DrawOptions {
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
}

/** The answers of {@link certifyStaged}; a radius is that of the last stage, which may exceed the one asked for. */
export interface Staged extends RadiusCertificates {
  /** Stages run. */
  stages: Uint32Array;
}

/**
 * "Is it robust at this radius?" in stages of growing size: certified by the first whose bound reaches the radius,
 * given up by the first that shows it out of reach, open after the last. Horvath et al., "Boosting randomized smoothing
 * with variance reduced classifiers", ICLR 2022. x: (inputs, ...features); those that are still open are counted
 * together.
 *
 * Soundness. Each of the m stages draws fresh copies and bounds the probability of the class from below at level
 * alpha/m (Clopper-Pearson). A false certificate needs one of these bounds to be above the truth: by the union bound at
 * most alpha, whatever decides which stages run. In the same way the upper bounds at beta/(m - 1) make a wrong
 * rejection at most beta; it costs a certificate and never makes one. Copies of different stages are not pooled.
 * Throws RangeError on options out of range, on stages none of which can certify the radius, and on counts that are not
 * those of n.
 */
export async function certifyStaged(smooth: NoisyClassifier, x: ArrayInput, options: StagedOptions): Promise<Staged> {
  const what = 'certifyStaged';
  checkOptions(what, options, {
    radius: required(atLeast(0)),
    n0: integer(1),
    stages: nonEmpty(listOf(integer(1))),
    alpha: between(0, 1, '()'),
    beta: between(0, 1, '()'),
    ...DRAWS,
  });
  const { radius, n0 = 100, stages = [1000, 10_000, 100_000], alpha = 0.001, beta = 1e-4 } = options;
  check(what, { sigma: smooth.sigma }, SIGMA);
  const sigma = Math.fround(smooth.sigma);
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
  return drawing(what, smooth, x, options, async (count, draw) => {
    const found: Staged = { ...(await selecting(count, draw, n0)), stages: new Uint32Array(count) };
    const { labels, radii, decisions, selected, samples } = found;
    let open = Array.from({ length: count }, (_, i) => i);
    let drawn = n0;
    for (const [stage, n] of stages.entries()) {
      if (open.length === 0) break;
      const counts = await draw(open, n, drawn);
      drawn += n;
      open = open.filter((row, i) => {
        const hits = counts[i]![selected[row]!] ?? 0;
        [samples[row], found.stages[row]] = [drawn, stage + 1];
        const pLower = clopperPearsonLower(hits, n, share);
        const reached = certifiedRadius(pLower, sigma);
        // Above 1/2 also at radius 0, where the radius of an abstention would do.
        if (pLower > 0.5 && reached >= radius) {
          [decisions[row], labels[row], radii[row]] = ['certified', selected[row]!, reached];
          return false;
        }
        if (stage === stages.length - 1) return false;
        const pUpper = clopperPearsonUpper(hits, n, beta / (stages.length - 1));
        if (!(pUpper < 0.5 || (pUpper < 1 && certifiedRadius(pUpper, sigma) < radius))) return true;
        decisions[row] = 'rejected';
        return false;
      });
    }
    return found;
  });
}
