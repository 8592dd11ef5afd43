/**
 * Cross-entropy of clipped logits of ten classes, from an independent program: norm, tau, and the least and the largest
 * value.
 */
export const CLIP_BOUNDS: readonly (readonly [p: number, tau: number, low: number, high: number])[] = [
  [2, 0.5, 1.842629, 2.787803],
  [2, 1, 1.419869, 3.289309],
  [2, 1.5, 1.047903, 3.800966],
  [2, 2, 0.738658, 4.318815],
  [2, 5, 0.045232, 7.468258],
  [Infinity, 1, 0.796614, 4.21215],
  [Infinity, 2, 0.152584, 6.199258],
];
