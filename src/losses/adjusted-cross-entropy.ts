import { expectOptions } from '../check/options.ts';
import { classTable, crossEntropy, type ClassAdjustments } from '../ops/cross-entropy.ts';
import type { LossKernel } from './kernel-loss.ts';

/** Options of {@link adjustedCrossEntropy}; every list has one entry per class. */
export interface AdjustedCrossEntropyOptions extends Omit<ClassAdjustments, 'weight'> {
  /** Factor of all adjusted logits. Default: 1. */
  scale?: number;
  /** Mass spread evenly over the classes, 0 <= labelSmoothing < 1. Default: 0. */
  labelSmoothing?: number;
  /** Rows with this label count for nothing. Default: -100. */
  ignoreIndex?: number;
}

/**
 * The kernel of a loss that is the cross-entropy of adjusted logits, scale (classScale_c z_c + shift_c - margin_c [c =
 * y]), for `defineKernelLoss({ name: 'mine', kernel: adjustedCrossEntropy({ shift }) })`: one dispatch forward, one
 * backward.
 */
export function adjustedCrossEntropy(given: AdjustedCrossEntropyOptions = {}): LossKernel {
  expectOptions('adjustedCrossEntropy', given, [
    'classScale',
    'shift',
    'margin',
    'scale',
    'labelSmoothing',
    'ignoreIndex',
  ]);
  const { classScale, shift, margin, ...options } = given;
  return {
    classTable: (name, k, weight) => classTable(k, { classScale, shift, margin, weight }, name),
    run: (logits, labels, inputs) => crossEntropy(logits, labels, { ...options, ...inputs }),
    ignoreIndex: options.ignoreIndex,
  };
}
