import { crossEntropy } from '../ops/cross-entropy.ts';
import { max } from '../ops/reduce.ts';
import { abs } from '../ops/unary.ts';
import { gradients, requireGrad, withGrad } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { at, boxOf, itemAxes, type Ball } from './ball.ts';
import { kept, type AttackedModel } from './model.ts';

/** Slack of f32 for a distance, relative to the larger of 1 and eps. */
const SLACK = 1e-6;

/**
 * Throws a RangeError, naming attack and image, unless the point lies in the ball around the image and inside `clip`.
 */
export function checkReached(
  name: string,
  row: number,
  point: ArrayLike<number>,
  image: ArrayLike<number>,
  { eps, norm = 'linf', clip = [0, 1] }: Ball,
  channels: number,
): void {
  if (typeof eps !== 'number' || (clip && (typeof clip[0] !== 'number' || typeof clip[1] !== 'number'))) {
    const size = point.length / channels;
    const part = (of: ArrayLike<number>, c: number): number[] =>
      Array.from({ length: size }, (_, i) => of[c * size + i]!);
    for (let c = 0; c < channels; c++)
      checkReached(name, row, part(point, c), part(image, c), { eps: at(eps, c), norm, clip: boxOf(clip, c) }, 1);
    if (typeof eps === 'number') checkReached(name, row, point, image, { eps, norm, clip: null }, channels);
    return;
  }
  const box = boxOf(clip, 0);
  let distance = 0;
  let largest = 0;
  for (let i = 0; i < point.length; i++) {
    const [v, moved] = [point[i]!, Math.abs(point[i]! - image[i]!)];
    if (box && !(v >= box[0] - SLACK && v <= box[1] + SLACK))
      throw new RangeError(`evaluateRobustness: ${name} gave image ${row} the pixel ${v}, outside the box [${box}]`);
    largest = Math.max(largest, Math.abs(image[i]!));
    distance = norm === 'linf' ? Math.max(distance, moved) : Math.hypot(distance, moved);
  }
  if (!(distance <= eps + SLACK * Math.max(1, eps, largest)))
    throw new RangeError(
      `evaluateRobustness: ${name} moved image ${row} by ${distance}, outside the ${norm} ball of radius ${eps}`,
    );
}

/** Throws an Error, naming the image, when a certified image is not given its label. */
export function checkSound(
  row: number,
  { label, attackedAs, brokenBy }: { label: number; attackedAs: number; brokenBy: string | null },
  certified?: ArrayLike<boolean>,
): void {
  if (brokenBy === null || !certified?.[row]) return;
  if (brokenBy === 'clean')
    throw new Error(
      `evaluateRobustness: image ${row} is certified for class ${label}, yet the model gives it ` +
        `${attackedAs < 0 ? 'no class' : `class ${attackedAs}`}`,
    );
  throw new Error(
    `evaluateRobustness: image ${row} is certified for class ${label}, yet ${brokenBy} found a point of ` +
      `class ${attackedAs}; the certificate is for a smaller ball, or unsound`,
  );
}

/** Whether every row of outputs, (n, classes), could be probabilities: none outside 0..1, and a sum of 1 up to 1e-4. */
export function looksLikeProbabilities(values: Float32Array, classes: number): boolean {
  for (let row = 0; row < values.length; row += classes) {
    const own = values.subarray(row, row + classes);
    if (own.some((v) => v < 0 || v > 1) || Math.abs(own.reduce((a, b) => a + b, 0) - 1) > 1e-4) return false;
  }
  return values.length > 0 && classes > 1;
}

/** How many images of a batch have a cross-entropy without a gradient. */
export async function countFlat(model: AttackedModel, x: Tensor, labels: Tensor<'i32'>): Promise<number> {
  const steepest = kept(() => {
    const at = requireGrad(x.detach());
    const [slope] = gradients(
      withGrad(() => crossEntropy(model.forward(at), labels, { reduction: 'sum' })),
      [at],
    ) as [Tensor];
    return max(abs(slope), { axes: itemAxes(slope) });
  });
  try {
    return Array.from(await steepest.read()).filter((v) => v === 0).length;
  } finally {
    steepest.dispose();
  }
}

/** Signs that attacks say less than they seem to, as the code of AutoAttack prints them. */
export function warningsOf(
  seen: {
    numClasses: number;
    images: number;
    flat: number;
    lost: number;
    isRandom: boolean;
    areProbabilities: boolean;
  },
  attacks: readonly { name: string; broken: number }[],
): string[] {
  const warnings: string[] = [];
  if (seen.lost > 0)
    warnings.push(
      `the model gives ${seen.lost} images no class, its outputs hold a NaN or an infinity twice: they count ` +
        'as misclassified',
    );
  if (seen.isRandom)
    warnings.push(
      'the model gives other outputs to the same images: attacks that see one draw of them overestimate its robustness',
    );
  if (seen.areProbabilities)
    warnings.push('the outputs look like probabilities, expected logits: their cross-entropy has small gradients');
  if (seen.flat > 0)
    warnings.push(
      `the gradient of the cross-entropy is zero for ${seen.flat} of the first ${seen.images} images: ` +
        'attacks along it stand still there',
    );
  if (seen.numClasses < 4)
    warnings.push(`${seen.numClasses} classes are too few for the targeted attack on the difference of logits ratio`);
  const square = attacks.findIndex(({ name }) => name === 'square');
  const before = attacks.slice(0, Math.max(0, square)).filter(({ name }) => /^(pgd|apgd)/.test(name));
  if (square >= 0 && before.length > 0 && attacks[square]!.broken > 0) {
    warnings.push(
      `square, which sees no gradient, broke ${attacks[square]!.broken} images that ` +
        `${before.map(({ name }) => name).join(', ')} had left: gradients may be masked`,
    );
  }
  return warnings;
}
