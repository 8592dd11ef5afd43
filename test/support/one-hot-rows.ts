/** One-hot scores of the given predictions. */
export const oneHotRows = (predictions: number[], classes: number): number[][] =>
  predictions.map((p) => Array.from({ length: classes }, (_, c) => (c === p ? 1 : 0)));
