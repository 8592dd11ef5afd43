import { expectOptions } from '../check/options.ts';
import type { Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { add, div, mul, sub } from '../ops/binary.ts';
import { greater, less, lessEqual } from '../ops/compare.ts';
import { cast } from '../ops/cast.ts';
import { mean, sum } from '../ops/reduce.ts';
import type { Reduction } from '../ops/reduction.ts';
import { logSoftmax } from '../ops/softmax.ts';
import { neg } from '../ops/unary.ts';
import { where } from '../ops/where.ts';
import { unscoped } from '../tensor/scope.ts';
import { noGrad } from '../tensor/tape.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { ofLabel } from './label-margin.ts';
import { named, type Loss } from './loss.ts';
import { perSampleLoss } from './per-sample-loss.ts';

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
  expectOptions('cores', given, ['beta', 'sieveFrom', 'prior', 'weight', 'reduction']);
  const { beta = coresBeta, sieveFrom = 31, prior, weight, reduction = 'weightedMean' } = given;
  if (!(sieveFrom >= 0)) throw new RangeError(`cores: sieveFrom is ${sieveFrom}, expected a number >= 0`);
  let epoch = 0;
  let weights = prior && checkedPrior(prior);
  const scalars = (): number[] => {
    const b = beta(epoch);
    if (!(b >= 0 && b < Infinity))
      throw new RangeError(`cores: beta is ${b} in epoch ${epoch}, expected a finite number >= 0`);
    return [b, Number(epoch >= sieveFrom)];
  };
  scalars();
  // [beta] and [1 when the sieve is on], and the prior where there is one.
  const tables = new Map<Gpu, { beta: Tensor; sieve: Tensor; prior: Tensor | null }>();
  const on = (gpu: Gpu) => {
    let t = tables.get(gpu);
    if (!t) {
      const [b, s] = scalars() as [number, number];
      t = unscoped(() => ({
        beta: tensor([b], { gpu }),
        sieve: tensor([s], { gpu }),
        prior: weights ? tensor(weights, { gpu }) : null,
      }));
      tables.set(gpu, t);
    }
    return t;
  };
  const values = perSampleLoss(
    'cores',
    (logits, labels) => {
      const surprise = neg(logSoftmax(logits));
      const table = on(logits.gpu);
      if (weights && weights.length !== logits.shape[1])
        throw new ShapeError(`cores: prior has ${weights.length} entries, the logits have ${logits.shape[1]} classes`);
      const regulariser = table.prior ? sum(mul(surprise, table.prior), { axes: 1 }) : mean(surprise, { axes: 1 });
      return sub(ofLabel(surprise, labels), mul(regulariser, table.beta));
    },
    { weight },
  );
  const passes = (logits: Tensor, labels: Tensor<'i32'>): Tensor => {
    const surprise = neg(logSoftmax(logits));
    return cast(lessEqual(ofLabel(surprise, labels), mean(surprise, { axes: 1 })), 'f32');
  };
  const sieved = (logits: Tensor, labels: Tensor<'i32'>): Tensor =>
    where(less(on(logits.gpu).sieve, 0.5), 1, passes(logits, labels));
  // Which rows count, as losses, so that ignored labels and weights are treated alike.
  const count = perSampleLoss('cores', sieved, { isIndicator: true });
  const weighed = perSampleLoss('cores', sieved, { weight, isIndicator: true });
  const sieve = perSampleLoss('cores', passes, { isIndicator: true });

  const call: Parameters<typeof named>[1] = (logits, labels, { sampleWeight, reduction: asked = reduction } = {}) => {
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
  const loss = named('cores', call, {
    reduction,
    setClassWeight(next) {
      values.setClassWeight(next);
      weighed.setClassWeight(next);
    },
    dispose() {
      for (const part of [values, count, weighed, sieve]) part.dispose();
      for (const t of tables.values()) for (const part of [t.beta, t.sieve, t.prior]) part?.dispose();
      tables.clear();
    },
  });
  return Object.assign(loss, {
    setEpoch(next: number) {
      epoch = next;
      const [b, s] = scalars() as [number, number];
      for (const t of tables.values()) {
        t.beta.write([b]);
        t.sieve.write([s]);
      }
    },
    setPrior(next: ArrayLike<number>) {
      weights = checkedPrior(next, weights?.length);
      for (const t of tables.values()) {
        if (!t.prior)
          throw new RangeError('cores: setPrior of a loss that was made without a prior; give it one at the start');
        t.prior.write(weights);
      }
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
