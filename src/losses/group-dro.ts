import { expectOptions } from '../check/options.ts';
import type { Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { add, div, maximum, minimum, mul, sub } from '../ops/binary.ts';
import { equal, greater, less, logicalAnd, logicalOr } from '../ops/compare.ts';
import { concat } from '../ops/concat.ts';
import { indexSelect, toIndex } from '../ops/gather.ts';
import { countedRows, weighRows } from '../ops/held-logits.ts';
import { logsumexp } from '../ops/logsumexp.ts';
import { oneHot } from '../ops/one-hot.ts';
import { sum } from '../ops/reduce.ts';
import type { Reduction } from '../ops/reduction.ts';
import { reshape } from '../ops/reshape.ts';
import { times } from '../ops/times.ts';
import { exp } from '../ops/unary.ts';
import { where } from '../ops/where.ts';
import { copyOver } from '../tensor/copy.ts';
import { unscoped } from '../tensor/scope.ts';
import { isRecorded, noGrad } from '../tensor/tape.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { checkCounts } from './class-weights.ts';
import type { GroupLoss } from './group-vs.ts';
import { named, type Loss, type LossInputs } from './loss.ts';
import { expectOneOf, expectState } from './options.ts';

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

interface Device {
  gpu: Gpu;
  /** Rows: log q or the running means; the weights of the last step. (2, groups) */
  state: Tensor;
  /** C / sqrt(n_g). */
  adjustment: Tensor;
  /** n_g / N. */
  share: Tensor;
}

/**
 * Group distributionally robust optimisation around any loss: sum_g q_g L_g, L_g the mean loss of group g in the batch,
 * 0 for a group without rows, and q_g <- q_g exp(eta (L_g + C / sqrt(n_g))) / sum, uniform at first; q is a constant of
 * the gradient. log q lies on the device, so that a captured step moves it and nothing overflows. Where no gradient is
 * recorded (`noGrad`, constant logits) q counts the batch but stays as it was. The call takes `groups` beside the labels and passes them on, so that the loss
 * may be `groupVs`. The value is that sum for every reduction but 'none', which gives its terms. Class weights of the
 * loss lie inside L; sample weights are the measure of the means. `dispose` frees the loss too. Sagawa, Koh, Hashimoto,
 * Liang, ICLR 2020, algorithm 1. The released code adds the adjustment to the value as well. Throws RangeError on
 * options outside their ranges.
 */
export function groupDro(base: Loss | GroupLoss, given: GroupDroOptions): GroupDro {
  expectOptions('groupDro', given, ['groupCounts', 'eta', 'adjustment', 'rule', 'alpha', 'rate']);
  const { groupCounts, eta = 0.01, adjustment = 0, rule = 'exponentiated', alpha = 0.2, rate = 0.1 } = given;
  checkCounts('groupDro', groupCounts, 'groupCounts');
  for (const [name, value] of [
    ['eta', eta],
    ['adjustment', adjustment],
  ] as const) {
    if (!(value >= 0 && value < Infinity))
      throw new RangeError(`groupDro: ${name} is ${value}, expected a finite number >= 0`);
  }
  for (const [name, value] of [
    ['alpha', alpha],
    ['rate', rate],
  ] as const) {
    if (!(value > 0 && value <= 1))
      throw new RangeError(`groupDro: ${name} is ${value}, expected a number above 0 and at most 1`);
  }
  expectOneOf('groupDro: rule', rule, ['exponentiated', 'greedy']);
  const greedy = rule === 'greedy';
  const isKnown = Array.from(groupCounts).some((n) => n > 0);
  // Without any sample all groups count alike.
  const held = Array.from(groupCounts, (n) => (isKnown ? n : 1));
  const size = held.length;
  const total = held.reduce((a, b) => a + b);
  const filled = held.filter((n) => n > 0).length;
  let start = [
    ...held.map((n) => (greedy || n === 0 ? NOTHING : -Math.log(filled))),
    ...held.map((n) => (n === 0 ? 0 : 1 / filled)),
  ];
  let device: Device | null = null;
  const on = (gpu: Gpu): Device => {
    if (device?.gpu !== gpu) {
      device = unscoped(() => ({
        gpu,
        state: tensor(start, { shape: [2, size], gpu }),
        adjustment: tensor(
          held.map((n) => (n === 0 ? 0 : adjustment / Math.sqrt(n))),
          { gpu },
        ),
        share: tensor(
          held.map((n) => n / total),
          { gpu },
        ),
      }));
    }
    return device!;
  };

  /** log q and q, or running means and weights, after a batch of mean losses. */
  const step = (
    { state, adjustment: extra, share }: Device,
    losses: Tensor,
    present: Tensor<'bool'>,
  ): [Tensor, Tensor] => {
    const before = reshape(indexSelect(state, [0]), [size]);
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
    const mass = sum(where(ahead, reshape(share, [1, size]), 0), { axes: 1 });
    return [means, div(maximum(minimum(sub(alpha, mass), share), 0), alpha)];
  };

  const call = (
    logits: Tensor,
    labels: Tensor<'i32'> | ArrayLike<number>,
    { groups, sampleWeight, reduction }: LossInputs & Partial<Parameters<GroupLoss>[2]> = {},
  ): Tensor => {
    if (!groups) throw new TypeError('groupDro: groups are missing, expected one a sample');
    const of = toIndex('groupDro: groups', groups, size, logits.gpu);
    const losses = (base as GroupLoss)(logits, labels, {
      groups: of as Tensor<'i32'>,
      reduction: 'none',
      sampleWeight: sampleWeight && countedRows(sampleWeight),
    });
    const rows = losses.size;
    if (of.size !== rows) throw new ShapeError(`groupDro: got ${of.size} groups for logits of shape [${logits.shape}]`);
    const flat = reshape(losses, [rows]);
    const moves = isRecorded(losses);
    const factor = noGrad(() => {
      const table = on(logits.gpu);
      const index = reshape(of as Tensor<'i32'>, [rows]);
      const weight = sampleWeight && reshape(sampleWeight, [rows, 1]);
      const member = weight ? mul(oneHot(index, size), weight) : oneHot(index, size);
      const mass = sum(member, { axes: 0 });
      const present = greater(mass, 0);
      const divisor = where(present, mass, 1);
      const means = div(sum(where(member, mul(member, reshape(flat.detach(), [rows, 1])), 0), { axes: 0 }), divisor);
      const [carried, q] = step(table, means, present);
      if (moves) copyOver(reshape(concat([carried, q]), [2, size]), table.state);
      const each = indexSelect(div(q, divisor), index);
      return weight ? mul(each, reshape(weight, [rows])) : each;
    });
    const terms = weighRows(flat, factor);
    return reduction === 'none' ? reshape(terms, losses.shape) : sum(terms);
  };

  const read = async (): Promise<number[]> => (device ? Array.from(await device.state.read()) : [...start]);
  const loss = named('groupDro', call as Parameters<typeof named>[1], {
    reduction: 'sum' satisfies Reduction,
    setClassWeight: (weight) => base.setClassWeight(weight),
    dispose() {
      for (const t of device ? [device.state, device.adjustment, device.share] : []) t.dispose();
      device = null;
      base.dispose();
    },
  });
  return Object.assign(loss, {
    numGroups: size,
    groupWeights: async () => (await read()).slice(size),
    state: read,
    setState(state: ArrayLike<number>) {
      expectState('groupDro', state);
      if (state.length !== 2 * size || !Array.from(state).every(Number.isFinite))
        throw new RangeError(`groupDro: the state has ${state.length} entries, expected ${2 * size} finite numbers`);
      const bad = Array.from(state).findIndex((v, i) => i >= size && !(v >= 0 && v <= 1 + 1e-5));
      if (bad >= 0)
        throw new RangeError(
          `groupDro: the weight of group ${bad - size} in the state is ${state[bad]}, expected a number in 0..1`,
        );
      start = Array.from(state);
      device?.state.write(start);
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
