import { any, atLeast, between, checkOptions, integer, required } from '../../check/check.ts';
import { add, div, mul, sub } from '../../ops/binary.ts';
import { mean, sum } from '../../ops/reduce.ts';
import { softmax } from '../../ops/softmax.ts';
import { clamp, log } from '../../ops/unary.ts';
import { isRecorded, noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { crossEntropyLoss } from '../cross-entropy-loss.ts';
import { asLoss } from '../define.ts';
import type { Loss, LossFunction } from '../loss.ts';
import type { Objective } from '../objective.ts';
import { sampleMemory } from './sample-memory.ts';

/** Options of {@link elr}. */
export interface ElrOptions {
  /** Size of the training set. */
  numSamples: number;
  numClasses: number;
  /**
   * Weight of the regulariser. Default: 3, the authors' for CIFAR-10 with symmetric noise; 1 for asymmetric, 7 for
   * CIFAR-100.
   */
  lambda?: number;
  /** Share of the old target at each visit. Default: 0.7, as above; 0.9 for asymmetric noise and for CIFAR-100. */
  beta?: number;
  /** Probabilities count as at least this and at most one minus it, without a gradient outside. Default: 1e-4. */
  floor?: number;
  /** Of logits and labels, a scalar; freed with this. Default: cross-entropy. */
  base?: Loss | LossFunction;
}

/** {@link elr} as an objective for `fit`, and as a function for other loops. */
export interface Elr extends Objective {
  /**
   * The value for logits (batch, classes) of the samples `index`, (batch); moves their targets where its gradient is
   * recorded.
   */
  loss(logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, index: Tensor<'u32'>): Tensor;
  /** The targets, (samples, classes), on the host: for saving. */
  state(): Promise<Float32Array>;
  setState(targets: ArrayLike<number>): void;
  dispose(): void;
}

/**
 * Early-learning regularisation: CE + lambda mean(log(1 - <t_i, p_i>)), where the target of a sample is the running
 * mean of its own predictions, t_i <- beta t_i + (1 - beta) p_i / sum p_i before it is used, without a gradient. It
 * keeps what a network learnt before it fits wrong labels. The targets stay on the device, one row per sample, and
 * start at 0. Liu, Niles-Weed, Razavian, Fernandez-Granda, "Early-learning regularization prevents memorization of
 * noisy labels", NeurIPS 2020, with the clamp of the released code. An optimiser of two passes per step, such as SAM,
 * moves the targets twice.
 */
export function elr(given: ElrOptions): Elr {
  checkOptions('elr', given, {
    numSamples: required(integer(1)),
    numClasses: required(integer(2)),
    lambda: atLeast(0),
    beta: between(0, 1, '[)'),
    floor: between(0, 0.5, '()'),
    base: any,
  });
  const { numSamples, numClasses, lambda = 3, beta = 0.7, floor = 1e-4 } = given;
  const base = given.base ? asLoss(given.base, 'elr') : crossEntropyLoss();
  const memory = sampleMemory('elr', numSamples, numClasses, 0, (v) => v >= 0 && v <= 1, 'a number in 0..1');
  const loss: Elr['loss'] = (logits, labels, index) => {
    const p = clamp(softmax(logits), floor, 1 - floor);
    const target = noGrad(() =>
      add(mul(memory.rows(index), beta), mul(div(p, sum(p, { axes: 1, keepDim: true })), 1 - beta)),
    );
    if (isRecorded(logits)) memory.write(index, target);
    return add(base(logits, labels), mul(mean(log(sub(1, sum(mul(target, p), { axes: 1 })))), lambda));
  };
  const objective: Objective = ({ x, y, index, forward }) => loss(forward(x), y, index);
  return Object.assign(objective, {
    loss,
    state: () => memory.read(),
    setState: (targets: ArrayLike<number>) => memory.set(targets),
    dispose() {
      memory.dispose();
      base.dispose();
    },
  });
}
