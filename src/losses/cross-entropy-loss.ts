import { expectOptions } from '../check/options.ts';
import type { Reduction } from '../ops/reduction.ts';
import { adjustedCrossEntropy } from './adjusted-cross-entropy.ts';
import { defineKernelLoss } from './kernel-loss.ts';
import type { Loss } from './loss.ts';

/** Options of {@link crossEntropyLoss}. */
export interface CrossEntropyLossOptions {
  /** Class weights. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean', sum w l / sum w, which is what PyTorch calls 'mean'; 'mean' divides by the batch size. */
  reduction?: Reduction;
  /** Default: 0. */
  labelSmoothing?: number;
  /** Rows with this label count for nothing. Default: -100. */
  ignoreIndex?: number;
}

/** Softmax cross-entropy, with PyTorch's options. */
export function crossEntropyLoss(options: CrossEntropyLossOptions = {}): Loss {
  expectOptions('crossEntropyLoss', options, ['weight', 'reduction', 'labelSmoothing', 'ignoreIndex']);
  const { weight, reduction, ...smoothing } = options;
  return defineKernelLoss({
    name: 'crossEntropyLoss',
    kernel: adjustedCrossEntropy(smoothing),
    weight,
    reduction,
    numClasses: weight?.length,
  });
}
