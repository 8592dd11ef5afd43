/**
 * x moved towards -Infinity by at least `ulps` units in its last place (relative 2^-52 each); at most twice that.
 * Probabilities and radii of certificates are rounded by it, so that no rounding error makes one too large. 0 and
 * infinities are kept.
 */
export function roundDown(x: number, ulps = 1): number {
  return Number.isFinite(x) ? x - Math.abs(x) * ulps * Number.EPSILON : x;
}

/** x moved towards Infinity by at least `ulps` units in its last place. See {@link roundDown}. */
export function roundUp(x: number, ulps = 1): number {
  return -roundDown(-x, ulps);
}
