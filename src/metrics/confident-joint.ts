import { checkLabels, toProbabilityRows, type Labels, type Matrix } from './matrix.ts';

/** What {@link confidentJoint} finds. */
export interface ConfidentJoint {
  /** Rows by label (row) and confident class (column). */
  counts: number[][];
  /** Estimated share of each label (row) and true class (column); all shares sum to 1. */
  joint: number[][];
  /**
   * Estimated probability of each label (column) given the true class (row), as in `transitionNoise`; a class that is
   * nobody's stays itself.
   */
  transition: number[][];
  /** Estimated share of wrong labels. */
  noiseRate: number;
  /** Rows whose confident class is not their label, in order: likely mislabelled. */
  suspects: number[];
}

/**
 * Confident learning: a row belongs confidently to the most probable of the classes whose probability is at least the
 * mean that the rows labelled with them have; the counts by label, scaled to how often each label occurs, estimate the
 * joint law of labels and true classes. probs: (rows, classes), from models that did not see the row, as by
 * cross-validation. Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR
 * 2021. A class that is no label has no threshold: its row and column of counts and of the joint law are zeros. Throws
 * RangeError on anything but probabilities, and on labels that do not fit.
 */
export function confidentJoint(probs: Matrix, labels: Labels): ConfidentJoint {
  const { data, rows, classes } = toProbabilityRows(probs, 'confidentJoint: probs');
  checkLabels(labels, rows, classes, 'confidentJoint: labels');
  const [sums, sizes] = [new Float64Array(classes), new Float64Array(classes)];
  for (let r = 0; r < rows; r++) {
    sums[labels[r]!]! += data[r * classes + labels[r]!]!;
    sizes[labels[r]!]!++;
  }
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const suspects: number[] = [];
  for (let r = 0; r < rows; r++) {
    let best = -1;
    for (let c = 0; c < classes; c++) {
      const p = data[r * classes + c]!;
      // A class that is no label has no threshold, 0 / 0, and is nobody's.
      if (p >= sums[c]! / sizes[c]! - 1e-12 && (best < 0 || p > data[r * classes + best]!)) best = c;
    }
    if (best < 0) continue;
    counts[labels[r]!]![best]!++;
    if (best !== labels[r]) suspects.push(r);
  }
  const joint = counts.map((row, y) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((n, c) => (sizes[y]! / rows) * (total > 0 ? n / total : Number(c === y)));
  });
  const transition = joint.map((_, c) => {
    const total = joint.reduce((sum, row) => sum + row[c]!, 0);
    return joint.map((row, y) => (total > 0 ? row[c]! / total : Number(c === y)));
  });
  return { counts, joint, transition, noiseRate: 1 - joint.reduce((sum, row, c) => sum + row[c]!, 0), suspects };
}
