import { checkOptions } from '../check/check.ts';
import { labelledRows, topConfidences } from './confidence.ts';
import type { HostLabels, Matrix } from './matrix.ts';
import { WEIGHT, type WeightOptions } from './weights.ts';

/** Selective prediction: answer the most confident rows only. */
export interface RiskCoverage {
  /** Share of the rows, by weight, that are answered: 1 / rows, 2 / rows, ..., 1 where all are alike. */
  coverage: Float64Array;
  /** Share of wrong ones among them, by weight. */
  risk: Float64Array;
  /** Area under the risk-coverage curve: the mean risk, by weight. */
  aurc: number;
  /** `aurc` less that of the best order, which puts every wrong row last. */
  eAurc: number;
}

/**
 * Risk-coverage curve with rows in the order of falling confidence max_k p_k (Geifman, Uziel and El-Yaniv, ICLR 2019).
 * Equal confidences count as in random order, on average, so that the order of the rows does not matter. probs: (rows,
 * classes). Throws RangeError on anything but probabilities, and on labels and weights that do not fit.
 */
export function riskCoverage(probs: Matrix, labels: HostLabels, options: WeightOptions = {}): RiskCoverage {
  return curve(probs, labels, options, 'riskCoverage');
}

/**
 * Area under the {@link riskCoverage} curve, (1 / rows) sum_i errors among the i most confident / i; errors as there.
 */
export function aurc(probs: Matrix, labels: HostLabels, options: WeightOptions = {}): number {
  return curve(probs, labels, options, 'aurc').aurc;
}

function curve(probs: Matrix, labels: HostLabels, options: WeightOptions, where: string): RiskCoverage {
  checkOptions(where, options, WEIGHT);
  const { confidence, hit, weights } = topConfidences(labelledRows(probs, labels, where, options));
  const order = Int32Array.from(hit, (_, r) => r)
    .filter((r) => weights.rows[r]! > 0)
    .sort((a, b) => confidence[b]! - confidence[a]!);
  const weight = Float64Array.from(order, (r) => weights.rows[r]!);
  const rows = order.length;
  const [risk, coverage] = [new Float64Array(rows), new Float64Array(rows)];
  let [errors, answered, area] = [0, 0, 0];
  for (let start = 0, end = 0; start < rows; start = end) {
    let [wrong, tied, seen] = [0, 0, 0];
    for (; end < rows && confidence[order[end]!] === confidence[order[start]!]; end++) {
      wrong += weight[end]! * (1 - hit[order[end]!]!);
      tied += weight[end]!;
    }
    for (let i = start; i < end; i++) {
      seen += weight[i]!;
      coverage[i] = (answered + seen) / weights.total;
      risk[i] = (errors + (wrong * seen) / tied) / (answered + seen);
      area += weight[i]! * risk[i]!;
    }
    errors += wrong;
    answered += tied;
  }
  let [best, wrong] = [0, 0];
  for (let i = 0; i < rows; i++) {
    if (hit[order[i]!]) continue;
    wrong += weight[i]!;
    best += (weight[i]! * wrong) / (weights.total - errors + wrong);
  }
  return { coverage, risk, aurc: area / weights.total, eAurc: (area - best) / weights.total };
}
