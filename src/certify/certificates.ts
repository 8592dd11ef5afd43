/** The label of an abstention. */
export const ABSTAIN = -1;

/**
 * What every certifier returns, an entry for each input: the classifier that is certified is constantly `labels[i]` in
 * the ball of radius `radii[i]` around input i. Norm, openness and confidence are those of the certifier; it adds what
 * it knows besides.
 */
export interface Certificates {
  /** The class, or ABSTAIN where nothing is certified. */
  labels: Int32Array;
  /** In units of the input, rounded down; 0 on abstention. */
  radii: Float64Array;
}

/** Certificates of nothing, to be filled. */
export function abstentions(count: number): Certificates {
  return { labels: new Int32Array(count).fill(ABSTAIN), radii: new Float64Array(count) };
}
