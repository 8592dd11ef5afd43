import { atLeast, between, checkOptions, oneOf, required } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { add, div, maximum, minimum, mul, sub } from '../../ops/binary.ts';
import { equal, greater, less, logicalAnd, logicalOr } from '../../ops/compare.ts';
import { concat } from '../../ops/concat.ts';
import { indexSelect, toIndex } from '../../ops/gather.ts';
import { countedRows, weighRows } from '../../ops/held-logits.ts';
import { logsumexp } from '../../ops/logsumexp.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { times } from '../../ops/times.ts';
import { exp } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { copyOver } from '../../tensor/copy.ts';
import { unscoped } from '../../tensor/scope.ts';
import { isRecorded, noGrad } from '../../tensor/tape.ts';
import { tensor, type Tensor } from '../../tensor/tensor.ts';
import { COUNTS } from '../../stats/class-weights.ts';
import { asLoss } from '../define.ts';
import { deviceTable } from '../device-table.ts';
import type { GroupLoss } from './group-vs.ts';
import type { LossCall } from '../kernel-loss.ts';
import type { Loss, LossFunction } from '../loss.ts';
import { expectState } from '../loss-options.ts';
import { wrapLoss } from '../wrap-loss.ts';

/** Options of {@link groupDro}. */
export interface GroupDroOptions {
  /** Training samples of each group; an empty group has no weight. */
  groupCounts: ArrayLike<number>;
  /** Step of the exponentiated gradient, at least 0. Default: 0.01. */
  eta?: number;
  /**
   * C of the adjustment C / sqrt(n_g) that is added to the loss of a group as the weights see it, at least 0. Default:
   * 0.
   */
  adjustment?: number;
  /**
   * 'greedy': the groups of the largest running mean losses share the weight, each up to its part of the training set
   * divided by alpha: the largest mean over a part alpha of the set. Default: 'exponentiated'.
   */
  rule?: 'exponentiated' | 'greedy';
  /** Of 'greedy', above 0 and at most 1. Default: 0.2. */
  alpha?: number;
  /** Share of the new batch in the running means of 'greedy', above 0 and at most 1. Default: 0.1. */
  rate?: number;
}

/** A loss whose groups are weighed by {@link groupDro}. */
export interface GroupDro extends GroupLoss {
  /** The weight of each group after the last step. */
  groupWeights(): Promise<number[]>;
  /** What it carries from step to step, for saving. */
  state(): Promise<number[]>;
  /** Puts back a saved state; the run goes on bit by bit. */
  setState(state: ArrayLike<number>): void;
}

/** A running mean that has no value yet. */
const NOTHING = -1e38;

/**
 * Group distributionally robust optimisation around any loss: sum_g q_g L_g, L_g the mean loss of group g in the batch,
 * 0 for a group without rows, and q_g <- q_g exp(eta (L_g + C / sqrt(n_g))) / sum, uniform at first; q is a constant of
 * the gradient. log q lies on the device, so that a captured step moves it and nothing overflows. Where no gradient is
 * recorded (`noGrad`, constant logits) q counts the batch but stays as it was. The call takes `groups` besides the
 * labels and passes them on, so that the loss may be `groupVs`. The value is that sum for every reduction but 'none',
 * which gives its terms. Class weights of the loss lie inside L; sample weights are the measure of the means. `dispose`
 * frees the loss too. Sagawa, Koh, Hashimoto, Liang, ICLR 2020, algorithm 1. The released code adds the adjustment to
 * the value as well. Throws RangeError on options outside their ranges.
 */
export function groupDro(loss: Loss | GroupLoss | LossFunction, given: GroupDroOptions): GroupDro {
  checkOptions('groupDro', given, {
    groupCounts: required(COUNTS),
    eta: atLeast(0),
    adjustment: atLeast(0),
    rule: oneOf('exponentiated', 'greedy'),
    alpha: between(0, 1, '(]'),
    rate: between(0, 1, '(]'),
  });
  const { groupCounts, eta = 0.01, adjustment = 0, rule = 'exponentiated', alpha = 0.2, rate = 0.1 } = given;
  const greedy = rule === 'greedy';
  const isKnown = Array.from(groupCounts).some((n) => n > 0);
  // Without any sample all groups count alike.
  const held = Array.from(groupCounts, (n) => (isKnown ? n : 1));
  const size = held.length;
  const total = held.reduce((a, b) => a + b);
  const filled = held.filter((n) => n > 0).length;
  const base = asLoss(loss as Loss, 'groupDro') as unknown as GroupLoss;
  // Rows: log q or the running means; the weights of the last step. (2, groups)
  const state = deviceTable([
    held.map((n) => (greedy || n === 0 ? NOTHING : -Math.log(filled))),
    held.map((n) => (n === 0 ? 0 : 1 / filled)),
  ]);
  // C / sqrt(n_g) and n_g / N.
  const adjustments = deviceTable(held.map((n) => (n === 0 ? 0 : adjustment / Math.sqrt(n))));
  const shares = deviceTable(held.map((n) => n / total));

  /** log q and q, or running means and weights, after a batch of mean losses. */
  const step = (losses: Tensor, present: Tensor<'bool'>): [Tensor, Tensor] => {
    const { gpu } = losses;
    const [before, extra] = [reshape(indexSelect(state.on(gpu), [0]), [size]), adjustments.on(gpu)];
    if (!greedy) {
      const moved = add(before, times(eta, add(losses, extra)));
      const logQ = sub(moved, logsumexp(moved, { axes: 0, keepDim: true }));
      return [logQ, exp(logQ)];
    }
    const means = where(
      present,
      where(less(before, NOTHING / 2), losses, add(mul(before, 1 - rate), mul(losses, rate))),
      before,
    );
    const rank = add(where(less(means, NOTHING / 2), 0, means), extra);
    // Of groups of equal rank the first comes first.
    const place = positions(rank);
    const [column, row] = [reshape(rank, [size, 1]), reshape(rank, [1, size])];
    const ahead = logicalOr(
      greater(row, column),
      logicalAnd(equal(row, column), less(reshape(place, [1, size]), reshape(place, [size, 1]))),
    );
    const mass = sum(where(ahead, reshape(shares.on(gpu), [1, size]), 0), { axes: 1 });
    return [means, div(maximum(minimum(sub(alpha, mass), shares.on(gpu)), 0), alpha)];
  };

  const call: LossCall = (logits, labels, { groups, sampleWeight, reduction } = {}) => {
    if (!groups) throw new TypeError('groupDro: groups are missing, expected one a sample');
    const of = toIndex('groupDro: groups', groups, size, logits.gpu);
    const losses = base(logits, labels, {
      groups: of as Tensor<'i32'>,
      reduction: 'none',
      sampleWeight: sampleWeight && countedRows(sampleWeight),
    });
    const rows = losses.size;
    if (of.size !== rows) throw new ShapeError(`groupDro: got ${of.size} groups for logits of shape [${logits.shape}]`);
    const flat = reshape(losses, [rows]);
    const moves = isRecorded(losses);
    const factor = noGrad(() => {
      const index = reshape(of as Tensor<'i32'>, [rows]);
      const weight = sampleWeight && reshape(sampleWeight, [rows, 1]);
      const member = weight ? mul(oneHot(index, size), weight) : oneHot(index, size);
      const mass = sum(member, { axes: 0 });
      const present = greater(mass, 0);
      const divisor = where(present, mass, 1);
      const means = div(sum(where(member, mul(member, reshape(flat.detach(), [rows, 1])), 0), { axes: 0 }), divisor);
      const [carried, q] = step(means, present);
      if (moves) copyOver(reshape(concat([carried, q]), [2, size]), state.on(logits.gpu));
      const each = indexSelect(div(q, divisor), index);
      return weight ? mul(each, reshape(weight, [rows])) : each;
    });
    const terms = weighRows(flat, factor);
    return reduction === 'none' ? reshape(terms, losses.shape) : sum(terms);
  };

  const read = async (): Promise<number[]> => Array.from(await state.read());
  const wrapped = wrapLoss([base], { name: 'groupDro', call, reduction: 'sum', owns: [state, adjustments, shares] });
  return Object.assign(wrapped, {
    numGroups: size,
    groupWeights: async () => (await read()).slice(size),
    state: read,
    setState(saved: ArrayLike<number>) {
      expectState('groupDro', saved);
      if (saved.length !== 2 * size || !Array.from(saved).every(Number.isFinite))
        throw new RangeError(`groupDro: the state has ${saved.length} entries, expected ${2 * size} finite numbers`);
      const bad = Array.from(saved).findIndex((v, i) => i >= size && !(v >= 0 && v <= 1 + 1e-5));
      if (bad >= 0)
        throw new RangeError(
          `groupDro: the weight of group ${bad - size} in the state is ${saved[bad]}, expected a number in 0..1`,
        );
      state.write(saved);
    },
  }) as GroupDro;
}

/** 0, 1, .. as long as x. */
function positions({ gpu, size }: Tensor): Tensor {
  return gpu.constant(`0..${size - 1}`, () =>
    unscoped(() =>
      tensor(
        Float32Array.from({ length: size }, (_, i) => i),
        { gpu },
      ),
    ),
  );
}
