import { expectOptions } from '../check/options.ts';
import { certifiedRadius, clopperPearsonLower, clopperPearsonUpper } from '../stats/index.ts';
import {
  drawCounts,
  expectCopies,
  expectInteger,
  fewestCopies,
  expectLevel,
  expectPositive,
  expectSigma,
  topClass,
  type Draw,
} from './draws.ts';
import { ABSTAIN } from './smooth.ts';

/** Options of {@link certifyInputSpecific}. */
export interface InputSpecificOptions {
  /** Standard deviation of the noise. */
  sigma: number;
  /** Largest loss of radius against n = maxSamples, in units of the input. */
  decline: number;
  /** Copies of the pilot, which choose the class and the number of the others. Default: 100. */
  n0?: number;
  /** Default: 100,000. */
  maxSamples?: number;
  /**
   * Numbers of copies to choose from are multiples of maxSamples / steps, and the fewest that can certify. Default:
   * 100.
   */
  steps?: number;
  /** Probability that the certificate is wrong. Default: 0.001. */
  alpha?: number;
  /** Probability that the pilot's interval misses the truth, so that the radius may decline by more. Default: 0.01. */
  pilotAlpha?: number;
  signal?: AbortSignal;
}

/** A certificate of {@link certifyInputSpecific}. */
export interface InputSpecific {
  /** The class, or ABSTAIN. */
  label: number;
  /** l2, in units of the input; 0 on abstention. Rounded down. */
  radius: number;
  pLower: number;
  /** Copies of the estimation; 0 when the pilot shows that the class stays below 1/2. */
  n: number;
  /** Copies drawn, n0 included. */
  samples: number;
}

/**
 * CERTIFY with a number of copies for each input: a pilot bounds the probability of the class by an interval, and the
 * estimation draws the fewest copies with which, anywhere in it, the radius declines by at most `decline` against
 * maxSamples. Chen et al., "Input-specific robustness certification for randomized smoothing", AAAI 2022.
 *
 * Soundness. The pilot chooses class and n; the estimation draws fresh copies, independent of both, and no copy of the
 * pilot counts in it (the published code adds them, which voids the bound). For each class and n the Clopper-Pearson
 * bound fails with probability alpha at most, hence also on average over the pilot's choices. The pilot's interval and
 * `decline` concern the size of the radius only; radii are compared at the count round(n p) instead of their
 * expectations. Throws RangeError on options out of range, and on counts that are not those of n.
 */
export async function certifyInputSpecific(draw: Draw, options: InputSpecificOptions): Promise<InputSpecific> {
  const what = 'certifyInputSpecific';
  expectOptions(what, options, ['sigma', 'decline', 'n0', 'maxSamples', 'steps', 'alpha', 'pilotAlpha', 'signal']);
  const { decline, n0 = 100, maxSamples = 100_000, steps = 100, alpha = 0.001, pilotAlpha = 0.01, signal } = options;
  const sigma = expectSigma(what, options.sigma);
  expectPositive(what, 'decline', decline);
  expectInteger(what, 'n0', n0, 1);
  expectInteger(what, 'steps', steps, 1);
  expectLevel(what, 'alpha', alpha);
  expectCopies(what, 'maxSamples', maxSamples, alpha);
  expectLevel(what, 'pilotAlpha', pilotAlpha);
  signal?.throwIfAborted();
  const pilot = await drawCounts(what, draw, n0);
  const label = topClass(pilot);
  const interval = [
    clopperPearsonLower(pilot[label] ?? 0, n0, pilotAlpha / 2),
    clopperPearsonUpper(pilot[label] ?? 0, n0, pilotAlpha / 2),
  ] as const;
  if (label === ABSTAIN || interval[1] < 0.5) return { label: ABSTAIN, radius: 0, pLower: 0, n: 0, samples: n0 };
  // Fewer would abstain whatever they say.
  const n = Math.max(fewestCopies(alpha), samplesForDecline(interval, { sigma, decline, maxSamples, steps, alpha }));
  signal?.throwIfAborted();
  const hits = (await drawCounts(what, draw, n))[label] ?? 0;
  const pLower = clopperPearsonLower(hits, n, alpha);
  if (pLower < 0.5) return { label: ABSTAIN, radius: 0, pLower, n, samples: n0 + n };
  return { label, radius: certifiedRadius(pLower, sigma), pLower, n, samples: n0 + n };
}

/**
 * The least multiple of maxSamples / steps whose radius declines by `decline` at most at nine points of the interval.
 */
function samplesForDecline(
  [low, high]: readonly [number, number],
  {
    sigma,
    decline,
    maxSamples,
    steps,
    alpha,
  }: Required<Pick<InputSpecificOptions, 'sigma' | 'decline' | 'maxSamples' | 'steps' | 'alpha'>>,
): number {
  const points = Array.from({ length: 9 }, (_, i) => Math.max(0.5, low + ((high - low) * i) / 8));
  const radius = (p: number, n: number): number =>
    certifiedRadius(clopperPearsonLower(Math.round(n * p), n, alpha), sigma);
  const best = points.map((p) => radius(p, maxSamples));
  let [no, yes] = [0, steps];
  while (yes - no > 1) {
    const middle = (no + yes) >> 1;
    const n = Math.max(1, Math.round((maxSamples * middle) / steps));
    if (points.every((p, i) => best[i]! - radius(p, n) <= decline)) yes = middle;
    else no = middle;
  }
  return Math.max(1, Math.round((maxSamples * yes) / steps));
}
