import { argmaxOf } from './predictions.ts';
import { toLabels, toRows, type HostLabels, type Matrix } from './matrix.ts';

/** Accuracy on training samples with right and with wrong labels, apart; null where there are no such samples. */
export interface SplitAccuracy {
  /** Share of the samples with the right label that are predicted as labelled. */
  clean: number | null;
  /** Share of the samples with a wrong label that are predicted as labelled: the memorised ones. */
  noisy: number | null;
  /** Share of the samples with a wrong label that are predicted as their true class. */
  recovered: number | null;
  /** Share of all samples that are predicted as labelled. */
  all: number;
}

/**
 * The training accuracy split by whether the label is right. scores: (rows, classes); `labels`: those trained on;
 * `trueLabels`: the right ones, as a noise model of `evenkeel/data` started from. Errors as for `accuracy`.
 */
export function splitAccuracy(scores: Matrix, labels: HostLabels, trueLabels: HostLabels): SplitAccuracy {
  const rows = toRows(scores, 'splitAccuracy: scores');
  const own = toLabels(labels, rows.rows, rows.classes, 'splitAccuracy: labels');
  const right = toLabels(trueLabels, rows.rows, rows.classes, 'splitAccuracy: trueLabels');
  const predicted = argmaxOf(rows);
  const share = (of: (r: number) => boolean, hits: (r: number) => boolean): number | null => {
    let [count, total] = [0, 0];
    for (let r = 0; r < rows.rows; r++) {
      if (!of(r)) continue;
      total++;
      if (hits(r)) count++;
    }
    return total === 0 ? null : count / total;
  };
  const isRight = (r: number): boolean => own[r] === right[r];
  const isWrong = (r: number): boolean => !isRight(r);
  const asLabelled = (r: number): boolean => predicted[r] === own[r];
  return {
    clean: share(isRight, asLabelled),
    noisy: share(isWrong, asLabelled),
    recovered: share(isWrong, (r) => predicted[r] === right[r]),
    all: share(() => true, asLabelled)!,
  };
}
