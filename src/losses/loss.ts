import type { Reduction } from '../ops/reduction.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What a loss may take besides logits and labels. */
export interface LossInputs {
  /** (...): factor of each sample's value, at least 0; constant for the gradient. */
  sampleWeight?: Tensor;
  /** In place of the reduction of the loss: a wrapper asks for 'none', one value per sample. */
  reduction?: Reduction;
}

/** A training loss: logits (..., classes) before labels (...). */
export interface Loss {
  (logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, inputs?: LossInputs): Tensor;
  readonly name: string;
  /** How the values of a batch become one, unless the call says otherwise. */
  readonly reduction: Reduction;
  /** Replaces the class weights; null restores those that the loss was created with. A captured step follows. */
  setClassWeight(weight: ArrayLike<number> | null): void;
  dispose(): void;
}

/**
 * A plain function of logits (..., classes) and labels (...) that returns one value per sample, (...), or their mean, a
 * scalar. It stands wherever a loss is taken; see `asLoss`.
 */
export type LossFunction = (logits: Tensor, labels: Tensor<'i32'>) => Tensor;

/** What every loss of one value per sample takes. */
export interface LossOptions {
  /** Class weights, at least 0. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean', which divides by the sum of the weights of classes and samples. */
  reduction?: Reduction;
  /** Number of classes that the logits must have; unset: any. */
  numClasses?: number;
}
