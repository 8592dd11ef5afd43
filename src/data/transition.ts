import { between, check, integer } from '../check/check.ts';
/** Which class each class is mistaken for; a class that stays itself is never mistaken. */
export type Confusions = readonly number[];

/** Named {@link Confusions} of the literature. */
export type ConfusionName = 'cifar10' | 'mnist' | 'cifar100' | 'cifar100-blocks' | 'next';

/** Superclass of each class of CIFAR-100. */
const SUPERCLASSES = [
  4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12,
  14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1,
  9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
];

const TABLES: Readonly<Record<Exclude<ConfusionName, 'next'>, Confusions>> = {
  // truck -> automobile, bird -> airplane, cat <-> dog, deer -> horse
  cifar10: [0, 1, 0, 5, 7, 3, 6, 7, 8, 1],
  // 7 -> 1, 2 -> 7, 5 <-> 6, 3 -> 8
  mnist: [0, 1, 7, 8, 4, 6, 5, 1, 8, 9],
  cifar100: nextWithin(SUPERCLASSES),
  'cifar100-blocks': nextWithin(SUPERCLASSES.map((_, c) => Math.floor(c / 5))),
};

/** The next class of the same group, the first after the last. */
function nextWithin(groups: readonly number[]): Confusions {
  return groups.map((group, c) => {
    const members = groups.flatMap((g, i) => (g === group ? [i] : []));
    return members[(members.indexOf(c) + 1) % members.length]!;
  });
}

/**
 * Confusions by name: the pairs used for CIFAR-10 and MNIST; 'cifar100': the next class of the same superclass;
 * 'cifar100-blocks': the next of five consecutive classes, as released code does, though these are alphabetical;
 * 'next': the next class, of any number. A list is checked and returned. Throws RangeError when it does not fit
 * `numClasses`.
 */
export function confusions(of: ConfusionName | Confusions, numClasses: number): Confusions {
  if (of === 'next') return Array.from({ length: numClasses }, (_, c) => (c + 1) % numClasses);
  const table = typeof of === 'string' ? TABLES[of] : of;
  if (!table)
    throw new RangeError(
      `confusions: there is none named '${String(of)}', expected ${Object.keys(TABLES)
        .map((name) => `'${name}'`)
        .join(', ')}, 'next' or a list`,
    );
  if (table.length !== numClasses)
    throw new RangeError(
      `confusions: ${typeof of === 'string' ? `'${of}'` : 'the list'} has ${table.length} classes, the ` +
        `labels have ${numClasses}`,
    );
  table.forEach((to, c) => {
    if (!(Number.isInteger(to) && to >= 0 && to < numClasses))
      throw new RangeError(`confusions: class ${c} is mistaken for ${to}, expected a class in 0..${numClasses - 1}`);
  });
  return table;
}

/** Probability of each noisy label (column) given the clean one (row). */
export type Transition = readonly (readonly number[])[];

/** 1 - rate on the diagonal, rate / (classes - 1) elsewhere. */
export function symmetricTransition(numClasses: number, rate: number): Transition {
  check('symmetricTransition', { rate, numClasses }, { rate: between(0, 1), numClasses: integer(2) });
  return square(numClasses, (i, j) => (i === j ? 1 - rate : rate / (numClasses - 1)));
}

/**
 * A label is drawn anew from all classes, its own included, with probability `rate`: wrong in rate (classes - 1) /
 * classes of cases.
 */
export function relabellingTransition(numClasses: number, rate: number): Transition {
  check('relabellingTransition', { rate, numClasses }, { rate: between(0, 1), numClasses: integer(1) });
  return square(numClasses, (i, j) => rate / numClasses + (i === j ? 1 - rate : 0));
}

/** A class becomes the one it is mistaken for with probability `rate`. */
export function confusionTransition(of: Confusions, rate: number): Transition {
  check('confusionTransition', { rate }, { rate: between(0, 1) });
  return square(of.length, (i, j) => (of[i] === i ? Number(i === j) : i === j ? 1 - rate : of[i] === j ? rate : 0));
}

function square(n: number, entry: (i: number, j: number) => number): Transition {
  return Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => entry(i, j)));
}
