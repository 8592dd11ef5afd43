import { atLeast, checkOptions, integer, oneOf } from '../check/check.ts';
import { argmaxOf } from '../metrics/predictions.ts';
import { checkLabels, toProbabilityRows, type Labels, type Matrix, type Rows } from '../metrics/matrix.ts';
import { leastSquares } from '../stats/least-squares.ts';

/** Options of {@link estimatePrior}. */
export interface EstimatePriorOptions {
  /**
   * 'em' (default): maximum likelihood of the unlabelled rows, which trusts the probabilities: calibrate them first.
   * 'bbse': from how often each class is predicted and the confusion matrix of the labelled rows, which trusts only
   * that rows of a class look alike in both.
   */
  method?: 'em' | 'bbse';
  /** Of 'em'. Default: 10,000. */
  maxIterations?: number;
  /** Of 'em': largest change of a share in the last iteration. Default: 1e-9. */
  tolerance?: number;
}

/** What {@link estimatePrior} finds. */
export interface PriorEstimate {
  /**
   * Share of each class among the unlabelled rows, for the option `prior` of calibrators, metrics and set rules; 0 for
   * a class that is no label.
   */
  prior: number[];
  /** False when 'em' was stopped by `maxIterations`. */
  converged: boolean;
  /**
   * Classes whose share 'bbse' found below 0 and set to 0: too few rows, or more has changed than the shares of the
   * classes.
   */
  clipped: number[];
}

/**
 * Shares of the classes among unlabelled rows, where these differ from the labelled ones only in how often each class
 * occurs (label shift). EM: Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori
 * probabilities", Neural Computation 2002. BBSE: Lipton, Wang and Smola, "Detecting and correcting for label shift with
 * black box predictors", ICML 2018. probs: (rows, classes) of held-out rows with `labels`; unlabelled: (more rows,
 * classes) of the same model. Throws RangeError on anything but probabilities, on labels that do not fit, and when the
 * predictions of 'bbse' cannot tell the classes apart.
 */
export function estimatePrior(
  probs: Matrix,
  labels: Labels,
  unlabelled: Matrix,
  options: EstimatePriorOptions = {},
): PriorEstimate {
  checkOptions('estimatePrior', options, {
    method: oneOf('em', 'bbse'),
    maxIterations: integer(1),
    tolerance: atLeast(0),
  });
  const { method = 'em', maxIterations = 10_000, tolerance = 1e-9 } = options;
  const known = toProbabilityRows(probs, 'estimatePrior: probs');
  checkLabels(labels, known.rows, known.classes, 'estimatePrior: labels');
  const target = toProbabilityRows(unlabelled, 'estimatePrior: unlabelled');
  if (target.classes !== known.classes)
    throw new RangeError(
      `estimatePrior: unlabelled has ${target.classes} classes, expected ${known.classes} as in probs`,
    );
  const shares = new Float64Array(known.classes);
  for (let r = 0; r < known.rows; r++) shares[labels[r]!]! += 1 / known.rows;
  return method === 'em' ? em(target, shares, maxIterations, tolerance) : bbse(known, labels, target, shares);
}

/**
 * rho_c = mean of p_c rho_c / pi_c over its sum over classes, until it stays; from rho = pi, the shares of the labels.
 */
function em({ data, rows, classes }: Rows, pi: Float64Array, maxIterations: number, tolerance: number): PriorEstimate {
  let rho = pi.slice();
  for (let i = 0; i < maxIterations; i++) {
    const factor = rho.map((v, c) => (v > 0 ? v / pi[c]! : 0));
    const next = new Float64Array(classes);
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let c = 0; c < classes; c++) sum += Math.max(0, data[r * classes + c]!) * factor[c]!;
      // A row with no probability for any label says nothing.
      if (sum > 0)
        for (let c = 0; c < classes; c++) next[c]! += (Math.max(0, data[r * classes + c]!) * factor[c]!) / sum;
    }
    const total = next.reduce((a, b) => a + b, 0);
    if (!(total > 0))
      throw new RangeError('estimatePrior: unlabelled gives no probability to any class that is a label');
    next.forEach((v, c) => (next[c] = v / total));
    const change = next.reduce((most, v, c) => Math.max(most, Math.abs(v - rho[c]!)), 0);
    rho = next;
    if (change <= tolerance) return { prior: Array.from(rho), converged: true, clipped: [] };
  }
  return { prior: Array.from(rho), converged: false, clipped: [] };
}

/**
 * Weights w of the labels with sum_j P(predicted i, label j) w_j = share of i among the predictions of the unlabelled
 * rows; rho = w pi.
 */
function bbse(known: Rows, labels: Labels, target: Rows, pi: Float64Array): PriorEstimate {
  const { classes } = known;
  const present = Array.from(pi.keys()).filter((c) => pi[c]! > 0);
  const joint = Array.from({ length: classes }, () => new Float64Array(present.length));
  argmaxOf(known).forEach((c, r) => (joint[c]![present.indexOf(labels[r]!)]! += 1 / known.rows));
  const predicted = new Float64Array(classes);
  for (const c of argmaxOf(target)) predicted[c]! += 1 / target.rows;
  // Columns of length 1 for the labels: P(predicted i | label j) rho_j.
  const found = leastSquares(
    joint.map((row) => row.map((v, j) => v / pi[present[j]!]!)),
    predicted,
  );
  if (!found)
    throw new RangeError(
      'estimatePrior: the predictions do not tell the classes apart (their confusion matrix is singular), ' +
        "expected a better model, or method 'em'",
    );
  const rho = new Float64Array(classes);
  present.forEach((c, j) => (rho[c] = Math.max(0, found[j]!)));
  const total = rho.reduce((a, b) => a + b, 0);
  return {
    prior: Array.from(rho, (v) => v / total),
    converged: true,
    clipped: present.filter((_, j) => found[j]! < -1e-12),
  };
}
