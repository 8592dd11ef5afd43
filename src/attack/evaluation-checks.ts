import type { Ball } from './ball.ts';

/** Slack of f32 for a distance, relative to the larger of 1 and eps. */
const SLACK = 1e-6;

/** Throws a RangeError, naming attack and image, unless the point lies in the ball around the image and inside `clip`. */
export function checkReached(name: string, row: number, point: ArrayLike<number>, image: ArrayLike<number>, { eps, norm = 'linf', clip = [0, 1] }: Ball): void {
  let distance = 0;
  let largest = 0;
  for (let i = 0; i < point.length; i++) {
    const [v, moved] = [point[i]!, Math.abs(point[i]! - image[i]!)];
    if (clip && !(v >= clip[0] - SLACK && v <= clip[1] + SLACK)) throw new RangeError(`evaluateRobustness: ${name} gave image ${row} the pixel ${v}, outside the box [${clip}]`);
    largest = Math.max(largest, Math.abs(image[i]!));
    distance = norm === 'linf' ? Math.max(distance, moved) : Math.hypot(distance, moved);
  }
  if (!(distance <= eps + SLACK * Math.max(1, eps, largest))) throw new RangeError(`evaluateRobustness: ${name} moved image ${row} by ${distance}, outside the ${norm} ball of radius ${eps}`);
}

/** Throws an Error, naming the image, when a certified image is not given its label. */
export function checkSound(row: number, { label, attackedAs, brokenBy }: { label: number; attackedAs: number; brokenBy: string | null }, certified?: ArrayLike<boolean>): void {
  if (brokenBy === null || !certified?.[row]) return;
  if (brokenBy === 'clean') throw new Error(`evaluateRobustness: image ${row} is certified for class ${label}, yet the model gives it class ${attackedAs}`);
  throw new Error(`evaluateRobustness: image ${row} is certified for class ${label}, yet ${brokenBy} found a point of class ${attackedAs}; the certificate is for a smaller ball, or unsound`);
}
