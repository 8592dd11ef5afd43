import { any, checkOptions, listOf, required, rule } from '../check/check.ts';
import { confusion, meanOfPresent, recalls } from './accuracy.ts';
import type { HostLabels, Matrix } from './matrix.ts';

/** Options of {@link shotAccuracy}. */
export interface ShotOptions {
  /** Training images per class. */
  classCounts: ArrayLike<number>;
  /** Classes with more training images are many-shot. Default 100. */
  manyThreshold?: number;
  /** Classes with fewer training images are few-shot. Default 20. */
  fewThreshold?: number;
  /**
   * `'thresholds'` (default), `'thirds'` by rank of the training count, or how many classes of the first ranks are many
   * and of the last ones few, such as `{ many: 33, few: 34 }` of CIFAR-100 in the code of UniMix.
   */
  shots?: 'thresholds' | 'thirds' | { many: number; few: number };
}

/** Mean per-class accuracy of each group; null for a group without a class that has labels. */
export interface ShotAccuracy {
  many: number | null;
  medium: number | null;
  few: number | null;
}

/**
 * Accuracy on the many-, medium- and few-shot classes of a long-tailed training set, each the mean of its per-class
 * accuracies: more than 100, 20 to 100, fewer than 20 training images (Liu et al., Large-scale long-tailed recognition
 * in an open world, CVPR 2019).
 *
 * With ten classes no class may be that small. `groups: 'thirds'` ranks the K classes by training count instead (ties:
 * lower index first) and takes the first max(1, round(K/3)) as many, the last round(K/3) as few (fewer if that many are
 * not left). Throws RangeError as `accuracy` does, and unless there is one non-negative count per class, fewThreshold
 * <= manyThreshold, and as many classes as `groups` asks for.
 */
export function shotAccuracy(scores: Matrix, labels: HostLabels, options: ShotOptions): ShotAccuracy {
  checkOptions('shotAccuracy', options, {
    classCounts: required(listOf(rule('a number >= 0', (n: number) => n >= 0))),
    manyThreshold: any,
    fewThreshold: any,
    shots: any,
  });
  const { classCounts, manyThreshold = 100, fewThreshold = 20, shots = 'thresholds' } = options;
  const perClass = recalls(confusion(scores, labels, 'shotAccuracy'));
  if (classCounts.length !== perClass.length) {
    throw new RangeError(
      `shotAccuracy: classCounts has ${classCounts.length} entries, expected ${perClass.length}, one per class`,
    );
  }
  const sizes = Array.from(classCounts);
  if (!(fewThreshold <= manyThreshold)) {
    throw new RangeError(
      `shotAccuracy: fewThreshold is ${fewThreshold}, expected at most manyThreshold = ${manyThreshold}`,
    );
  }
  const third = Math.max(1, Math.round(sizes.length / 3));
  const ranks = shots === 'thirds' ? { many: third, few: Math.min(third, Math.max(0, sizes.length - third)) } : shots;
  if (typeof ranks === 'object') {
    const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0;
    if (!(isCount(ranks.many) && isCount(ranks.few) && ranks.many + ranks.few <= sizes.length)) {
      throw new RangeError(
        `shotAccuracy: shots has ${ranks.many} many and ${ranks.few} few, expected numbers of classes that ` +
          `sum to at most ${sizes.length}`,
      );
    }
  } else if (ranks !== 'thresholds') {
    throw new RangeError(`shotAccuracy: shots is ${String(shots)}, expected 'thresholds', 'thirds' or { many, few }`);
  }
  const group =
    typeof ranks === 'object'
      ? byRank(sizes, ranks)
      : sizes.map((n) => (n > manyThreshold ? 'many' : n < fewThreshold ? 'few' : 'medium'));
  const mean = (name: keyof ShotAccuracy) => meanOfPresent(perClass.filter((_, c) => group[c] === name));
  return { many: mean('many'), medium: mean('medium'), few: mean('few') };
}

function byRank(sizes: readonly number[], { many, few }: { many: number; few: number }): (keyof ShotAccuracy)[] {
  const out = new Array<keyof ShotAccuracy>(sizes.length);
  const ranked = sizes.map((_, c) => c).sort((p, q) => sizes[q]! - sizes[p]! || p - q);
  ranked.forEach((c, rank) => (out[c] = rank < many ? 'many' : rank >= sizes.length - few ? 'few' : 'medium'));
  return out;
}
