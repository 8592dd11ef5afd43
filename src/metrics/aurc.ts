import { labelledRows, topConfidences } from './confidence.ts';
import type { HostLabels, Matrix } from './rows.ts';

/** Selective prediction: answer the most confident rows only. */
export interface RiskCoverage {
  /** Share of the rows that are answered: 1 / rows, 2 / rows, ..., 1. */
  coverage: Float64Array;
  /** Share of wrong ones among them. */
  risk: Float64Array;
  /** Area under the risk-coverage curve: the mean risk. */
  aurc: number;
  /** `aurc` less that of the best order, which puts every wrong row last. */
  eAurc: number;
}

/**
 * Risk-coverage curve with rows in the order of falling confidence max_k p_k (Geifman, Uziel and El-Yaniv, ICLR 2019). Equal
 * confidences count as in random order, on average, so that the order of the rows does not matter. probs: (rows, classes).
 * Throws RangeError on anything but probabilities and on labels that do not fit.
 */
export function riskCoverage(probs: Matrix, labels: HostLabels): RiskCoverage {
  return curve(probs, labels, 'riskCoverage');
}

/** Area under the {@link riskCoverage} curve, (1 / rows) sum_i errors among the i most confident / i; errors as there. */
export function aurc(probs: Matrix, labels: HostLabels): number {
  return curve(probs, labels, 'aurc').aurc;
}

function curve(probs: Matrix, labels: HostLabels, where: string): RiskCoverage {
  const { confidence, hit } = topConfidences(labelledRows(probs, labels, where));
  const rows = hit.length;
  const order = Int32Array.from(hit, (_, r) => r).sort((a, b) => confidence[b]! - confidence[a]!);
  const risk = new Float64Array(rows);
  let errors = 0;
  for (let start = 0, end = 0; start < rows; start = end) {
    let wrong = 0;
    for (; end < rows && confidence[order[end]!] === confidence[order[start]!]; end++) wrong += 1 - hit[order[end]!]!;
    for (let i = start; i < end; i++) risk[i] = (errors + (wrong * (i + 1 - start)) / (end - start)) / (i + 1);
    errors += wrong;
  }
  const area = risk.reduce((a, b) => a + b, 0) / rows;
  let best = 0;
  for (let i = rows - errors; i < rows; i++) best += (i + 1 - (rows - errors)) / (i + 1) / rows;
  return { coverage: Float64Array.from(risk, (_, i) => (i + 1) / rows), risk, aurc: area, eAurc: area - best };
}
