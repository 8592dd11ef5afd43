import { any, atLeast, between, checkOptions, oneOf, positive } from '../../check/check.ts';
import { add, div, mul, sub } from '../../ops/binary.ts';
import { greater, less } from '../../ops/compare.ts';
import { concat } from '../../ops/concat.ts';
import { countedRows, weighRows } from '../../ops/held-logits.ts';
import { logsumexp } from '../../ops/logsumexp.ts';
import { sum } from '../../ops/reduce.ts';
import { meanOf, type Reduction } from '../../ops/reduction.ts';
import { reshape } from '../../ops/reshape.ts';
import { clamp, exp, log } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import type { Gpu } from '../../gpu/device.ts';
import { copyOver } from '../../tensor/copy.ts';
import { unscoped } from '../../tensor/scope.ts';
import { isRecorded, noGrad } from '../../tensor/tape.ts';
import { tensor, type Tensor } from '../../tensor/tensor.ts';
import { asLoss } from '../define.ts';
import { deviceTable } from '../device-table.ts';
import type { LossCall } from '../kernel-loss.ts';
import type { Loss, LossFunction, LossInputs } from '../loss.ts';
import { expectInvertible, expectState } from '../loss-options.ts';
import { wrapLoss } from '../wrap-loss.ts';

/** Options of {@link absgd}. */
export interface AbsgdOptions {
  /**
   * Temperature. Above 0: rows of large loss weigh more, for imbalance; below 0: less, for label noise; Infinity: all
   * alike, plain SGD. Default: 0.5, that of the released package; 1 with compat.
   */
  lambda?: number;
  /** Share of the new batch in the moving average u, from above 0 to 1. Default: 0.9; 0.1 with compat. */
  gamma?: number;
  /**
   * Factor of each batch as it enters u; the steady step is 1 / alpha as long. Default: 1, the paper's; 0.5 with
   * compat.
   */
  alpha?: number;
  /**
   * How u starts. 'debias': from 0, divided by 1 - (1 - gamma)^t. 'firstBatch': as the first batch. 'zero': from 0 as
   * it is, so that the first step is 1 / gamma times too long, as in the released code. Default: 'debias'; 'zero' with
   * compat.
   */
  init?: 'debias' | 'firstBatch' | 'zero';
  /** Added to each weight, in units of 1 / batch size; the released code for noisy labels has 1. Default: 0. */
  floor?: number;
  /** 'released-code': its defaults, lambda >= 200 counts as Infinity, and u is kept when lambda changes. */
  compat?: 'released-code';
  /** Default: 'weightedMean', over the sample weights of the call. */
  reduction?: Reduction;
}

/** What {@link absgd} carries from step to step. JSON, which has no Infinity, holds that as a word. */
export interface AbsgdState {
  lambda: number | 'Infinity' | '-Infinity';
  /** log of the moving average before its correction; -1e38 before the first step. */
  logU: number;
  /** log(1 - (1 - gamma)^t); -1e38 before the first step. */
  logMass: number;
}

/** A loss whose samples are weighed by {@link absgd}. */
export interface Absgd extends Loss {
  readonly lambda: number;
  /**
   * Sets the temperature of the steps to come, captured ones too. Another value starts u anew, unless compat says
   * otherwise.
   */
  setLambda(lambda: number): void;
  /**
   * exp(L / lambda) / u of each row, (...), with the batch counted in u, which stays as it was: 1 is the weight of
   * plain SGD. For reports by class or group.
   */
  weights(logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, inputs?: Pick<LossInputs, 'sampleWeight'>): Tensor;
  /** The state on the host, for saving. */
  state(): Promise<AbsgdState>;
  /** Puts back a saved state; the run goes on bit by bit. */
  setState(state: AbsgdState): void;
}

/** log 0; the sum of two is finite. */
const NOTHING = -1e38;

/**
 * Attentional-biased SGD around any loss of one value L_i a sample: u <- (1 - gamma) u + gamma alpha mean(exp(L /
 * lambda)), and the loss is mean(exp(L_i / lambda) / u L_i) with constant weights, a stochastic gradient of
 * lambda log(mean(exp(L / lambda))). log u is kept in place of u, on the device, so nothing overflows, a captured step
 * moves it, and no weight exceeds 1 / (alpha gamma). Where no gradient is recorded (`noGrad`, constant logits) u counts
 * the batch but stays as it was.
 * Class weights of the base loss lie inside L, as in the released code; sample weights are the measure of the means
 * instead. An ignored label counts as a sample of loss 0: give such rows the sample weight 0. A batch whose weights are
 * all 0 leaves u as it was and has the value 0. `dispose` frees the base loss too.
 * Qi, Xu, Jin, Yin, Yang, "Attentional-biased stochastic gradient descent", TMLR 2023, algorithm 1; the released code
 * by `compat`, but in the log domain. Throws RangeError on options outside their ranges; for lambda that is a finite
 * number that f32 does not hold, or whose reciprocal it does not.
 */
export function absgd(loss: Loss | LossFunction, options: AbsgdOptions = {}): Absgd {
  checkOptions('absgd', options, {
    lambda: any,
    gamma: between(0, 1, '(]'),
    alpha: positive,
    init: oneOf('debias', 'firstBatch', 'zero'),
    floor: atLeast(0),
    compat: oneOf('released-code'),
    reduction: any,
  });
  const released = options.compat === 'released-code';
  const {
    gamma = released ? 0.1 : 0.9,
    alpha = released ? 0.5 : 1,
    init = released ? 'zero' : 'debias',
    floor = 0,
    reduction = 'weightedMean',
  } = options;
  let lambda = checked(options.lambda ?? (released ? 1 : 0.5));
  const base = asLoss(loss, 'absgd');
  // 1 / lambda, 0 for plain SGD.
  const inverseOf = (): number[] => [released && lambda >= 200 ? 0 : 1 / lambda];
  const inverses = deviceTable(inverseOf());
  // log u and log(1 - (1 - gamma)^t).
  const averages = deviceTable([NOTHING, NOTHING]);
  const keptShare = gamma === 1 ? NOTHING : Math.log1p(-gamma);
  const pair = (gpu: Gpu, a: number, b: number): Tensor =>
    gpu.constant(`absgd ${a} ${b}`, () => unscoped(() => tensor([a, b], { gpu })));

  /** exp(L / lambda) / u of each sample, with the batch in u; `moves` keeps that u. */
  const ratios = (losses: Tensor, weight: Tensor | undefined, moves: boolean): Tensor => {
    const { gpu } = losses;
    const [inverse, average] = [inverses.on(gpu), averages.on(gpu)];
    // Beyond that f32 could not tell log u from an infinity.
    const a = clamp(mul(losses, inverse), -1e37, 1e37);
    const terms = weight ? where(greater(weight, 0), add(a, log(weight)), -3e38) : a;
    const mass = weight && sum(weight);
    // A batch whose weights are all 0 says nothing of u.
    const unless = (other: Tensor | number, t: Tensor): Tensor => (mass ? where(greater(mass, 0), t, other) : t);
    const batch = sub(
      logsumexp(terms, { axes: 0, keepDim: true }),
      mass ? log(unless(1, mass)) : Math.log(losses.size),
    );
    const fresh = add(mul(batch, pair(gpu, 1, 0)), pair(gpu, Math.log(alpha), 0));
    const mixed = logsumexp(
      concat([reshape(add(average, keptShare), [1, 2]), reshape(add(fresh, Math.log(gamma)), [1, 2])]),
      { axes: 0 },
    );
    const moved = init === 'firstBatch' ? where(less(average, NOTHING / 2), fresh, mixed) : mixed;
    const next = unless(average, moved);
    const logU = sum(mul(next, init === 'debias' ? pair(gpu, 1, -1) : pair(gpu, 1, 0)));
    const ratio = unless(1, exp(sub(a, logU)));
    if (moves) copyOver(where(inverse, next, average), average);
    return where(inverse, floor ? add(ratio, floor) : ratio, 1);
  };

  const call: LossCall = (logits, labels, { sampleWeight, reduction: asked = reduction } = {}) => {
    const losses = base(logits, labels, { reduction: 'none', sampleWeight: sampleWeight && countedRows(sampleWeight) });
    const flat = reshape(losses, [losses.size]);
    const moves = isRecorded(losses);
    const weight = sampleWeight && reshape(sampleWeight, [losses.size]);
    const factor = noGrad(() => {
      const ratio = ratios(flat.detach(), weight, moves);
      return weight ? weighRows(ratio, weight) : ratio;
    });
    const weighted = weight ? weighRows(flat, factor) : mul(flat, factor);
    if (asked === 'none') return reshape(weighted, losses.shape);
    const total = sum(weighted);
    if (asked === 'sum') return total;
    return asked === 'weightedMean' && weight ? meanOf(total, sum(weight)) : div(total, losses.size);
  };

  const setLambda = (next: number): void => {
    const changed = checked(next) !== lambda;
    lambda = next;
    inverses.write(inverseOf());
    if (changed && !released) averages.write([NOTHING, NOTHING]);
  };
  const extra = {
    setLambda,
    weights: ((logits, labels, { sampleWeight } = {}) =>
      noGrad(() => {
        const losses = base(logits, labels, { reduction: 'none' });
        return reshape(
          ratios(reshape(losses, [losses.size]), sampleWeight && reshape(sampleWeight, [losses.size]), false),
          losses.shape,
        );
      })) as Absgd['weights'],
    async state(): Promise<AbsgdState> {
      const { 0: logU, 1: logMass } = await averages.read();
      const state: AbsgdState = { lambda, logU: logU!, logMass: logMass! };
      return Object.defineProperty(state, 'toJSON', {
        value: () => ({ ...state, lambda: Number.isFinite(state.lambda) ? state.lambda : String(state.lambda) }),
      });
    },
    setState(state: AbsgdState): void {
      expectState('absgd', state);
      const { lambda: saved, logU, logMass } = state;
      const next = checked(saved === 'Infinity' ? Infinity : saved === '-Infinity' ? -Infinity : saved);
      if (!(Number.isFinite(logU) && Number.isFinite(logMass)))
        throw new RangeError(`absgd: the state has logU ${logU} and logMass ${logMass}, expected finite numbers`);
      setLambda(next);
      averages.write([logU, logMass]);
    },
  };
  const wrapped = wrapLoss([base], { name: 'absgd', call, reduction, owns: [inverses, averages] });
  return Object.defineProperty(Object.assign(wrapped, extra), 'lambda', {
    get: () => lambda,
    enumerable: true,
  }) as Absgd;
}

function checked(lambda: number): number {
  if (typeof lambda !== 'number' || Number.isNaN(lambda) || lambda === 0)
    throw new RangeError(`absgd: lambda is ${lambda}, expected a number that is not 0`);
  if (Number.isFinite(lambda)) expectInvertible('absgd: lambda', lambda);
  return lambda;
}
