import { any, between, callable, checkOptions } from '../../check/check.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { add, div, mul, sub } from '../../ops/binary.ts';
import { greater, less, lessEqual } from '../../ops/compare.ts';
import { cast } from '../../ops/cast.ts';
import { mean, sum } from '../../ops/reduce.ts';
import type { Reduction } from '../../ops/reduction.ts';
import { logSoftmax } from '../../ops/softmax.ts';
import { neg } from '../../ops/unary.ts';
import { where } from '../../ops/where.ts';
import { noGrad } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { defineLoss } from '../define.ts';
import { deviceTable } from '../device-table.ts';
import type { LossCall } from '../kernel-loss.ts';
import { ofLabel } from '../label-margin.ts';
import type { Loss } from '../loss.ts';
import { wrapLoss } from '../wrap-loss.ts';

/** Options of {@link cores}. */
export interface CoresOptions {
  /** beta of each epoch, from 0. Default: {@link coresBeta}. */
  beta?: (epoch: number) => number;
  /** First epoch, from 0, that leaves samples out. Default: 31, as in the released code. */
  sieveFrom?: number;
  /** Weights of the classes in the regulariser, which sum to 1. Default: all alike. */
  prior?: ArrayLike<number>;
  /** Class weights. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean'. Both means divide by what is kept. */
  reduction?: Reduction;
}

/** {@link cores}, which the host moves from epoch to epoch; a captured step follows. */
export interface Cores extends Loss {
  setEpoch(epoch: number): void;
  setPrior(prior: ArrayLike<number>): void;
  /** 1 for each row that the sieve keeps, (...), whatever the epoch; without a gradient. */
  kept(logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>): Tensor;
}

/** 0 for ten epochs, then from 0 to 2 over thirty, then 2: the schedule of the released code. */
export function coresBeta(epoch: number): number {
  return 2 * Math.min(1, Math.max(0, (epoch - 10) / 29));
}

/**
 * The prior after an epoch that left out `removed` samples of each class of a set of `samples`: what is left,
 * normalised.
 */
export function coresPrior(prior: ArrayLike<number>, samples: number, removed: ArrayLike<number>): number[] {
  const left = Array.from(prior, (p, c) => Math.max(0, samples * p - removed[c]!));
  const total = left.reduce((a, b) => a + b, 0);
  if (!(total > 0))
    throw new RangeError(
      `coresPrior: removed sums to ${Array.from(removed).reduce((a, b) => a + b, 0)} of ${samples} samples, ` +
        'expected some left',
    );
  return left.map((v) => v / total);
}

/**
 * Confidence-regularised cross-entropy CE_i - beta sum_k pi_k (-log p_ik), which makes predictions confident; from
 * `sieveFrom` on only of samples with CE_i <= mean_k(-log p_ik). Values may be negative. A batch of which nothing is
 * kept counts 0 (the released code: its mean / 1e8). `setEpoch` moves it on:
 * `fit({ objective: scheduledLoss(loss, ({ epoch }) => loss.setEpoch(epoch)) })`. Cheng, Zhu, Li, Gong, Sun, Liu,
 * "Learning with instance-dependent label noise: a sample sieve approach", ICLR 2021. The code's 1e-8 inside the
 * logarithm is left out. Throws RangeError on a beta or prior outside its range.
 */
export function cores(given: CoresOptions = {}): Cores {
  checkOptions('cores', given, {
    beta: callable,
    sieveFrom: between(0, Infinity),
    prior: any,
    weight: any,
    reduction: any,
  });
  const { beta = coresBeta, sieveFrom = 31, prior, weight, reduction = 'weightedMean' } = given;
  let epoch = 0;
  const betaNow = (): number[] => {
    const b = beta(epoch);
    if (!(b >= 0 && b < Infinity))
      throw new RangeError(`cores: beta is ${b} in epoch ${epoch}, expected a finite number >= 0`);
    return [b];
  };
  const isSieving = (): number[] => [Number(epoch >= sieveFrom)];
  const [betas, sieves] = [deviceTable(betaNow()), deviceTable(isSieving())];
  const priors = prior && deviceTable(checkedPrior(prior));
  const values = defineLoss({
    name: 'cores',
    tables: { betas, ...(priors && { priors }) },
    values(logits, labels, { tables }) {
      const surprise = neg(logSoftmax(logits));
      if (tables.priors && tables.priors.size !== logits.shape[1])
        throw new ShapeError(
          `cores: prior has ${tables.priors.size} entries, the logits have ${logits.shape[1]} classes`,
        );
      const regulariser = tables.priors ? sum(mul(surprise, tables.priors), { axes: 1 }) : mean(surprise, { axes: 1 });
      return sub(ofLabel(surprise, labels), mul(regulariser, tables.betas));
    },
    weight,
  });
  const passes = (logits: Tensor, labels: Tensor<'i32'>): Tensor => {
    const surprise = neg(logSoftmax(logits));
    return cast(lessEqual(ofLabel(surprise, labels), mean(surprise, { axes: 1 })), 'f32');
  };
  // Which rows count, as losses, so that ignored labels and weights are treated alike.
  const sieved = (weights?: ArrayLike<number>): Loss =>
    defineLoss({
      name: 'cores',
      tables: { sieves },
      values: (logits, labels, { tables }) => where(less(tables.sieves, 0.5), 1, passes(logits, labels)),
      weight: weights,
      isIndicator: true,
    });
  const [count, weighed] = [sieved(), sieved(weight)];
  const sieve = defineLoss({ name: 'cores', values: passes, isIndicator: true });

  const call: LossCall = (logits, labels, { sampleWeight, reduction: asked = reduction } = {}) => {
    const isKept = noGrad(() => count(logits, labels, { reduction: 'none' }));
    const kept = mul(values(logits, labels, { sampleWeight, reduction: 'none' }), isKept);
    if (asked === 'none') return kept;
    if (asked === 'sum') return sum(kept);
    const divisor = noGrad(() => {
      const total = asked === 'mean' ? sum(isKept) : weighed(logits, labels, { sampleWeight, reduction: 'sum' });
      return where(greater(total, 0), total, add(total, 1));
    });
    return div(sum(kept), divisor);
  };
  const loss = wrapLoss([values, weighed], { name: 'cores', call, reduction, owns: [count, sieve] });
  return Object.assign(loss, {
    setEpoch(next: number) {
      epoch = next;
      betas.write(betaNow());
      sieves.write(isSieving());
    },
    setPrior(next: ArrayLike<number>) {
      if (!priors)
        throw new RangeError('cores: setPrior of a loss that was made without a prior; give it one at the start');
      priors.write(checkedPrior(next, prior.length));
    },
    kept: (logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>) =>
      noGrad(() => sieve(logits, labels, { reduction: 'none' })),
  });
}

function checkedPrior(prior: ArrayLike<number>, length = prior.length): Float32Array {
  const total = Array.from(prior).reduce((a, b) => a + b, 0);
  if (prior.length !== length) throw new ShapeError(`cores: prior has ${prior.length} entries, expected ${length}`);
  if (!(Array.from(prior).every((p) => p >= 0) && Math.abs(total - 1) < 1e-4))
    throw new RangeError(`cores: prior is [${Array.from(prior)}], expected probabilities that sum to 1`);
  return Float32Array.from(prior);
}
