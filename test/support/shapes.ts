/** Shapes and an axis that every op along one axis must take: empty, single, odd, in the middle. */
export const ALONG_AXIS: readonly { shape: number[]; axis: number }[] = [
  { shape: [0], axis: 0 },
  { shape: [0, 3], axis: 1 },
  { shape: [3, 0], axis: 1 },
  { shape: [1], axis: 0 },
  { shape: [31], axis: 0 },
  { shape: [33, 7], axis: 0 },
  { shape: [7, 33], axis: 1 },
  { shape: [3, 4, 5], axis: 1 },
];

/** Shapes and axes that every reduction must take. */
export const OVER_AXES: readonly { shape: number[]; axes: number[] }[] = [
  { shape: [1], axes: [0] },
  { shape: [], axes: [] },
  { shape: [31], axes: [0] },
  { shape: [33, 7], axes: [0] },
  { shape: [7, 33], axes: [1] },
  { shape: [3, 4, 5], axes: [1] },
  { shape: [3, 4, 5], axes: [0, 2] },
  { shape: [2, 3, 2, 3], axes: [0, 2, 3] },
];

/** Pairs of shapes that every op of two operands must take. */
export const PAIRS: readonly [a: number[], b: number[]][] = [
  [[0, 3], [3]],
  [[1], [1]],
  [[31], [31]],
  [[7, 33], [33]],
  [[257], []],
];
