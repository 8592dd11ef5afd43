import { any, between, check, checkOptions, integer, positive, required } from '../../check/check.ts';
import { clopperPearsonLower, clopperPearsonUpper } from '../../stats/index.ts';
import { certifiedRadius } from '../../stats/radius.ts';
import type { ArrayInput } from '../../tensor/array-input.ts';
import { ABSTAIN, abstentions, type Certificates } from '../certificates.ts';
import {
  DRAWS,
  drawing,
  expectCopies,
  fewestCopies,
  topClass,
  type DrawOptions,
  type NoisyClassifier,
} from './draws.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';

/** Options of {@link certifyInputSpecific}. */
export interface InputSpecificOptions extends DrawOptions {
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
}

/** Certificates of {@link certifyInputSpecific}: l2, as those of `certify` of {@link Smooth}. */
export interface InputSpecific extends Certificates {
  /** Lower confidence bound of the probability of the class that the pilot chose. */
  pLower: Float64Array;
  /** Copies of the estimation; 0 when the pilot shows that the class stays below 1/2. */
  n: Uint32Array;
  /** Copies drawn, n0 included. */
  samples: Uint32Array;
}

/**
 * CERTIFY with a number of copies for each input: a pilot bounds the probability of the class by an interval, and the
 * estimation draws the fewest copies with which, anywhere in it, the radius declines by at most `decline` against
 * maxSamples. Chen et al., "Input-specific robustness certification for randomized smoothing", AAAI 2022.
 * x: (inputs, ...features).
 *
 * Soundness. The pilot chooses class and n; the estimation draws fresh copies, independent of both, and no copy of the
 * pilot counts in it (the published code adds them, which voids the bound). For each class and n the Clopper-Pearson
 * bound fails with probability alpha at most, hence also on average over the pilot's choices. The pilot's interval and
 * `decline` concern the size of the radius only; radii are compared at the count round(n p) instead of their
 * expectations. Throws RangeError on options out of range, and on counts that are not those of n.
 */
export async function certifyInputSpecific(
  smooth: NoisyClassifier,
  x: ArrayInput,
  options: InputSpecificOptions,
): Promise<InputSpecific> {
  const what = 'certifyInputSpecific';
  checkOptions(what, options, {
    decline: required(positive),
    n0: integer(1),
    maxSamples: any,
    steps: integer(1),
    alpha: between(0, 1, '()'),
    pilotAlpha: between(0, 1, '()'),
    ...DRAWS,
  });
  const { decline, n0 = 100, maxSamples = 100_000, steps = 100, alpha = 0.001, pilotAlpha = 0.01 } = options;
  check(what, { sigma: smooth.sigma }, SIGMA);
  const sigma = Math.fround(smooth.sigma);
  expectCopies(what, 'maxSamples', maxSamples, alpha);
  return drawing(what, smooth, x, options, async (count, draw) => {
    const rows = Array.from({ length: count }, (_, i) => i);
    const { labels, radii } = abstentions(count);
    const [pLower, n] = [new Float64Array(count), new Uint32Array(count)];
    const selected = new Int32Array(count);
    const groups = new Map<number, number[]>();
    for (const [row, pilot] of (await draw(rows, n0, 0)).entries()) {
      const top = (selected[row] = topClass(pilot));
      const interval = [
        clopperPearsonLower(pilot[top] ?? 0, n0, pilotAlpha / 2),
        clopperPearsonUpper(pilot[top] ?? 0, n0, pilotAlpha / 2),
      ] as const;
      if (top === ABSTAIN || interval[1] < 0.5) continue;
      // Fewer would abstain whatever they say.
      n[row] = Math.max(fewestCopies(alpha), samplesForDecline(interval, { sigma, decline, maxSamples, steps, alpha }));
      groups.set(n[row], [...(groups.get(n[row]) ?? []), row]);
    }
    // Inputs of as many copies are counted together.
    for (const [copies, group] of groups) {
      for (const [i, counts] of (await draw(group, copies, n0)).entries()) {
        const row = group[i]!;
        const bound = (pLower[row] = clopperPearsonLower(counts[selected[row]!] ?? 0, copies, alpha));
        if (bound < 0.5) continue;
        labels[row] = selected[row]!;
        radii[row] = certifiedRadius(bound, sigma);
      }
    }
    return { labels, radii, pLower, n, samples: n.map((copies) => n0 + copies) };
  });
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
  }: { sigma: number } & Required<Pick<InputSpecificOptions, 'decline' | 'maxSamples' | 'steps' | 'alpha'>>,
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
