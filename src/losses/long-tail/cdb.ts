import { any, atLeast, between, check, checkOptions, either, integer, oneOf, required } from '../../check/check.ts';
import { expectNumbers, expectState, plain } from '../../check/state.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { adjustedCrossEntropy } from '../adjusted-cross-entropy.ts';
import { ACCURACIES, normalized } from '../../stats/class-weights.ts';
import { asLoss } from '../define.ts';
import { defineKernelLoss } from '../kernel-loss.ts';
import type { Loss, LossFunction } from '../loss.ts';
import { wrapLoss } from '../wrap-loss.ts';

const FORMS = oneOf('paper', 'cifar');
const WEIGHTS = { tau: either(oneOf('dynamic'), atLeast(0)), dynamic: FORMS, floor: between(0, 1) } as const;

/** How difficulties become weights; see {@link cdbWeights}. */
export interface CdbWeightsOptions {
  /** Exponent of the difficulty, or 'dynamic', from the spread of the accuracies. Default: 'dynamic'. */
  tau?: number | 'dynamic';
  /**
   * Of the dynamic exponent. 'paper': 2 / (1 + exp(-b)), b = max A / (min A + 0.01) - 1, as the ImageNet code; 'cifar':
   * 1 / (1 + exp(-max A / (min A + 0.01))), as the CIFAR code was released. Default: 'paper'.
   */
  dynamic?: 'paper' | 'cifar';
  /**
   * Least difficulty, so that a class without errors keeps a gradient: half a validation sample, 1 / (2 n), is a good
   * value; 0 is the official code, where such a class gets weight 0. Default: 0.01.
   */
  floor?: number;
}

/** Options of {@link cdb}. */
export interface CdbOptions extends CdbWeightsOptions {
  numClasses: number;
  /** The loss that is weighted, such as focal() or ldam(); freed with this. Default: cross-entropy. */
  loss?: Loss | LossFunction;
  /** Default: 'mean', over the samples, as the CIFAR code; 'weightedMean' is that of the ImageNet code. */
  reduction?: Reduction;
}

/** A loss whose class weights follow validation accuracies; see {@link cdb}. */
export interface Cdb extends Loss {
  /** Weights in force. */
  readonly classWeights: Float64Array;
  /**
   * Accuracies of a validation set, one per class, NaN for a class that it lacks; once an epoch. Returns the new
   * weights.
   */
  update(perClassAccuracy: ArrayLike<number>): Float64Array;
  /** Weights and difficulties in force, for saving. */
  state(): CdbState;
  /** Puts back a saved state; a captured step follows. */
  setState(state: CdbState): void;
}

/** What {@link cdb} carries from epoch to epoch, one number a class. */
export interface CdbState {
  weights: number[];
  difficulty: number[];
}

/**
 * Exponent of the difficulty from accuracies in [0, 1]; classes with NaN are left out, and 1 when that is all of them.
 * See {@link CdbWeightsOptions}.
 */
export function cdbTau(accuracy: ArrayLike<number>, given: { dynamic?: 'paper' | 'cifar' } = {}): number {
  checkOptions('cdbTau', given, { dynamic: FORMS });
  const { dynamic = 'paper' } = given;
  check('cdbTau', { accuracy }, ACCURACIES);
  const seen = Float64Array.from(accuracy).filter((a) => !Number.isNaN(a));
  if (seen.length === 0) return 1;
  const ratio = seen.reduce((a, b) => Math.max(a, b)) / (seen.reduce((a, b) => Math.min(a, b)) + 0.01);
  return dynamic === 'cifar' ? 1 / (1 + Math.exp(-ratio)) : 2 / (1 + Math.exp(1 - ratio));
}

/**
 * Weights d_c^tau, d_c = max(1 - A_c, floor), scaled to sum to the number of classes. A class with NaN takes its
 * difficulty from `previous` (default: 1). Difficulties that are all 0 give weights of 1. Sinha, Ohashi, Nakamura,
 * "Class-wise difficulty-balanced loss for solving class-imbalance", ACCV 2020. Throws RangeError on an accuracy
 * outside [0, 1].
 */
export function cdbWeights(
  accuracy: ArrayLike<number>,
  given: CdbWeightsOptions & { previous?: ArrayLike<number> } = {},
): Float64Array {
  checkOptions('cdbWeights', given, { ...WEIGHTS, previous: any });
  const { tau = 'dynamic', dynamic, floor = 0.01, previous } = given;
  check('cdbWeights', { accuracy }, ACCURACIES);
  const exponent = tau === 'dynamic' ? cdbTau(accuracy, { dynamic }) : tau;
  const d = difficulties(accuracy, floor, previous);
  const most = d.reduce((a, b) => Math.max(a, b));
  // As parts of the largest, so that no power underflows for all.
  return most > 0 ? normalized(d.map((v) => Math.pow(v / most, exponent))) : d.fill(1);
}

/**
 * Class-wise difficulty-balanced loss (CDB-W): cross-entropy, or any other loss, whose class weights follow the
 * accuracies on a validation set, see {@link cdbWeights}. Weights are 1 until the first `update`.
 * `setClassWeight(null)` puts back those of the last `update`, so that `fit` leaves them as they are; a captured step
 * follows. Throws RangeError on options out of range.
 */
export function cdb(given: CdbOptions): Cdb {
  checkOptions('cdb', given, { numClasses: required(integer(1)), loss: any, reduction: any, ...WEIGHTS });
  const { numClasses, loss: base, reduction = 'mean', ...options } = given;
  let difficulty: Float64Array = new Float64Array(numClasses).fill(1);
  let weights: Float64Array = difficulty.slice();
  const inner = base
    ? asLoss(base, 'cdb')
    : defineKernelLoss({ name: 'cdb', kernel: adjustedCrossEntropy(), reduction, numClasses: numClasses });
  inner.setClassWeight(weights);
  const set = (next: ArrayLike<number>): void => inner.setClassWeight(next);
  const loss = wrapLoss([inner], {
    name: 'cdb',
    reduction,
    call: (logits, labels, inputs) => inner(logits, labels, { reduction, ...inputs }),
  });
  return Object.defineProperty(
    Object.assign(loss, {
      setClassWeight: (next: ArrayLike<number> | null) => set(next ?? weights),
      update(accuracy: ArrayLike<number>) {
        if (accuracy.length !== numClasses)
          throw new RangeError(`cdb: got ${accuracy.length} accuracies, expected ${numClasses}`);
        weights = cdbWeights(accuracy, { ...options, previous: difficulty });
        difficulty = difficulties(accuracy, options.floor ?? 0.01, difficulty);
        set(weights);
        return weights.slice();
      },
      state: () => ({ weights: plain(weights), difficulty: plain(difficulty) }),
      setState(state: CdbState) {
        expectState('cdb', state, { weights: 'list', difficulty: 'list' });
        expectNumbers('cdb: weights', state.weights, numClasses);
        expectNumbers('cdb: difficulty', state.difficulty, numClasses);
        weights = Float64Array.from(state.weights);
        difficulty = Float64Array.from(state.difficulty);
        set(weights);
      },
    }),
    'classWeights',
    { get: () => weights.slice() },
  ) as Cdb;
}

function difficulties(accuracy: ArrayLike<number>, floor: number, previous?: ArrayLike<number>): Float64Array {
  return Float64Array.from(accuracy, (a, c) => Math.max(Number.isNaN(a) ? (previous?.[c] ?? 1) : 1 - a, floor));
}
