import { atLeast, between, check, checkOptions, integer, required } from '../../check/check.ts';
import { normalCdf, roundDown, roundUp, sequentialSide } from '../../stats/index.ts';
import type { ArrayInput } from '../../tensor/array-input.ts';
import { abstentions, type Certificates } from '../certificates.ts';
import { DRAWS, drawing, topClass, type Draw, type DrawOptions, type NoisyClassifier } from './draws.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

/** What {@link certifyAtRadius} and {@link certifyStaged} find about a radius. */
export type Decision = 'certified' | 'rejected' | 'abstained';

/** Certificates at a radius that was asked for: an input is certified, or its label is ABSTAIN. */
export interface RadiusCertificates extends Certificates {
  /**
   * Certified: robust at the radius. Rejected: the class that the n0 copies chose is too rare for it. Abstained: still
   * open at the end.
   */
  decisions: Decision[];
  /** The class that the n0 copies chose, whatever came of it; ABSTAIN when none of them got a class. */
  selected: Int32Array;
  /** Copies drawn, n0 included. */
  samples: Uint32Array;
}

/** Certificates of nothing, each input open after its n0 copies. */
export async function selecting(count: number, draw: Draw, n0: number): Promise<RadiusCertificates> {
  const rows = Array.from({ length: count }, (_, i) => i);
  return {
    ...abstentions(count),
    decisions: rows.map(() => 'abstained'),
    selected: Int32Array.from(await draw(rows, n0, 0), topClass),
    samples: new Uint32Array(count).fill(n0),
  };
}

/** Options of {@link certifyAtRadius}. */
export interface AtRadiusOptions extends DrawOptions {
  /** The l2 radius asked for, in units of the input. */
  radius: number;
  /** Copies that choose the class. Default: 100. */
  n0?: number;
  /** Copies after which it abstains, those of n0 not counted. Default: 100,000. */
  maxSamples?: number;
  /** Copies between two looks. Default: 100. */
  batchSize?: number;
  /** Probability that the decision about an input is wrong. Default: 0.001. */
  alpha?: number;
}

/** The answers of {@link certifyAtRadius}; the radius of a certified input is the one asked for. */
export interface AtRadius extends RadiusCertificates {
  /** How many of the last samples - n0 copies had the class `selected`. */
  hits: Uint32Array;
}

/**
 * "Is the smoothed classifier robust at this radius?": draws batches until the answer is known, where `certify` of
 * {@link Smooth} draws a fixed number. Easy inputs need tens to hundreds of copies; those that are still open are
 * counted together. x: (inputs, ...features).
 *
 * Soundness. With c the class that n0 copies choose and p its probability, the smoothed classifier is constantly c
 * within the radius if p > Phi(radius / sigma) (Cohen et al., ICML 2019, theorem 1). The copies after n0 are
 * independent of c, so for c as it is, {@link sequentialSide} may be asked after each batch, and is wrong at any time
 * with probability alpha at most: both "certified" when p <= p0 and "rejected" when p >= p0 get the whole alpha, since
 * for one p only one of them is an error. n0 may be wrong about c: this never certifies falsely, and a rejection speaks
 * of c alone. A rejection says that this method cannot certify the radius, not that an adversary exists. p0 is rounded
 * outwards for either answer. Test: Voracek, 2024, with the threshold log 1/alpha of Ville's inequality (the published
 * driver stops at log 1/(2 alpha) of the inverse quantile, and takes the true label for c).
 * Throws RangeError on options out of range, on a radius whose p0 rounds to 1 or that maxSamples cannot certify, and on
 * counts that are not those of n.
 */
export async function certifyAtRadius(
  smooth: NoisyClassifier,
  x: ArrayInput,
  options: AtRadiusOptions,
): Promise<AtRadius> {
  const what = 'certifyAtRadius';
  checkOptions(what, options, {
    radius: required(atLeast(0)),
    n0: integer(1),
    maxSamples: integer(1),
    batchSize: integer(1),
    alpha: between(0, 1, '()'),
    ...DRAWS,
  });
  const { radius, n0 = 100, maxSamples = 100_000, batchSize = 100, alpha = 0.001 } = options;
  check(what, { sigma: smooth.sigma }, SIGMA);
  const sigma = Math.fround(smooth.sigma);
  const [low, high] = probabilityAt(what, radius, sigma);
  if (sequentialSide(maxSamples, maxSamples, high, alpha) <= 0) {
    throw new RangeError(
      `${what}: maxSamples is ${maxSamples}, expected at least ${fewest(high, alpha)} copies: even if all of ` +
        `fewer agree, radius ${radius} is out of reach at alpha ${alpha}`,
    );
  }
  return drawing(what, smooth, x, options, async (count, draw) => {
    const found: AtRadius = { ...(await selecting(count, draw, n0)), hits: new Uint32Array(count) };
    const { labels, radii, decisions, selected, samples, hits } = found;
    let open = Array.from({ length: count }, (_, i) => i);
    for (let n = 0; open.length > 0 && n < maxSamples;) {
      const size = Math.min(batchSize, maxSamples - n);
      const counts = await draw(open, size, n0 + n);
      n += size;
      open = open.filter((row, i) => {
        hits[row]! += counts[i]![selected[row]!] ?? 0;
        samples[row] = n0 + n;
        if (sequentialSide(hits[row]!, n, high, alpha) > 0) {
          [decisions[row], labels[row], radii[row]] = ['certified', selected[row]!, radius];
          return false;
        }
        if (sequentialSide(hits[row]!, n, low, alpha) >= 0) return true;
        decisions[row] = 'rejected';
        return false;
      });
    }
    return found;
  });
}

/** Fewest copies that certify when all of them agree. */
function fewest(p0: number, alpha: number): number {
  const reaches = (n: number): boolean => sequentialSide(n, n, p0, alpha) > 0;
  let [no, yes] = [1, 2];
  while (!reaches(yes) && yes < 2 ** 52) [no, yes] = [yes, 2 * yes];
  while (yes - no > 1) {
    const middle = Math.floor((no + yes) / 2);
    if (reaches(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}

/** Phi(radius / sigma), rounded down and up. */
function probabilityAt(what: string, radius: number, sigma: number): [low: number, high: number] {
  const p = normalCdf(radius / sigma);
  const high = roundUp(p, 16);
  if (high >= 1)
    throw new RangeError(
      `${what}: radius is ${radius} = ${radius / sigma} sigma, expected one whose probability is below 1 in f64`,
    );
  return [roundDown(p, 16), high];
}
