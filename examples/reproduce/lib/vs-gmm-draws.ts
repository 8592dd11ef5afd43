import { NdArray } from 'evenkeel';
import { hostNormal, splitKey, type Key } from 'evenkeel/random';
import type { ClassDraws } from './vs-gmm-descent.ts';

/** Rows of N(mean e1, I), labels +1, and of N(-mean e1, I), labels -1; `counts` of each. */
export function halves(
  root: Key,
  { mean, width, counts: [plus, minus] }: { mean: number; width: number; counts: readonly [number, number] },
): { x: Float32Array; labels: number[] } {
  const labels = Array.from({ length: plus + minus }, (_, i) => (i < plus ? 1 : -1));
  const x = hostNormal(labels.length, width, root);
  labels.forEach((y, i) => (x[i * width]! += mean * y));
  return { x, labels };
}

/**
 * Training and test rows of classes N(m, I) whose means m are drawn from N(0, std^2 I), for each of several draws; the
 * tests have `rows` rows of each class.
 */
export function classProblems(
  root: Key,
  { draws, counts, width }: Omit<ClassDraws, 'x'>,
  { std, rows }: { std: number; rows: number },
): { centres: Float32Array[]; x: Float32Array; tests: NdArray<Float32Array>[]; testLabels: number[] } {
  const labelsOf = (sizes: readonly number[]): number[] => sizes.flatMap((n, c) => new Array<number>(n).fill(c));
  const centres = Array.from({ length: draws }, (_, p) =>
    hostNormal(counts.length, width, splitKey(root, 3 * p), { std }),
  );
  const draw = (p: number, labels: readonly number[], stream: number): Float32Array =>
    hostNormal(labels.length, width, splitKey(root, stream)).map(
      (v, k) => v + centres[p]![labels[Math.floor(k / width)]! * width + (k % width)]!,
    );
  const testLabels = labelsOf(counts.map(() => rows));
  return {
    centres,
    x: Float32Array.from(centres.flatMap((_, p) => [...draw(p, labelsOf(counts), 3 * p + 1)])),
    tests: centres.map((_, p) => new NdArray(draw(p, testLabels, 3 * p + 2), [testLabels.length, width])),
    testLabels,
  };
}
