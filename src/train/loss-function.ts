import type { Tensor } from '../tensor/tensor.ts';

/**
 * A loss of `fit`: any function of logits (batch, classes) and labels (batch) that gives a scalar, made of ops, so that
 * a gradient flows. It is captured: it must not read. Class weights of schedules need one of `evenkeel/losses`.
 */
export interface LossFunction {
  (logits: Tensor, labels: Tensor<'i32'>): Tensor;
  /** Replaces the class weights. */
  setClassWeight?(weight: ArrayLike<number> | null): void;
}
