import { any, between, checkOptions, integer, required } from '../../check/check.ts';
import { sub } from '../../ops/binary.ts';
import { weighRows } from '../../ops/held-logits.ts';
import { mean } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import type { NdArray } from '../../tensor/ndarray.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Objective } from '../objective.ts';
import { gce } from './robust.ts';
import { sampleMemory } from './sample-memory.ts';

/** Options of {@link truncatedGce}. */
export interface TruncatedGceOptions {
  /** Size of the training set. */
  numSamples: number;
  /** Default: 0.7. */
  q?: number;
  /** Samples whose label has at most this probability are left out at the next `update`. Default: 0.5. */
  k?: number;
}

/** {@link truncatedGce} as an objective for `fit`, and as a function for other loops. */
export interface TruncatedGce extends Objective {
  /** The mean value for logits (batch, classes) of the samples `index`, (batch). */
  loss(logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, index: Tensor<'u32'>): Tensor;
  /**
   * Chooses the samples that count from here on, by the logits (samples, classes) of the whole training set; returns
   * the choice, 1 for kept.
   */
  update(logits: NdArray<Float32Array>, labels: ArrayLike<number>): Uint8Array;
  /** 1 for the samples that count, on the host: for saving. */
  state(): Promise<Float32Array>;
  setState(kept: ArrayLike<number>): void;
  dispose(): void;
}

/**
 * Truncated generalised cross-entropy by alternate search: mean of v_i (L_q(p_i) - L_q(k)), L_q(p) = (1 - p^q) / q,
 * where v_i is 1 for samples with p_i > k at the last `update`, and for all before it. The divisor counts all samples
 * of the batch. Zhang, Sabuncu, "Generalized cross entropy loss", NeurIPS 2018, who update every ten epochs from epoch
 * 40 of 120 on: `onEpoch: async ({ epoch })
 * => { if (epoch >= 39 && epoch % 10 === 9) loss.update(await model.logits(train.x), train.y); }`.
 */
export function truncatedGce(given: TruncatedGceOptions): TruncatedGce {
  checkOptions('truncatedGce', given, { numSamples: required(integer(1)), q: any, k: between(0, 1, '()') });
  const { numSamples, q = 0.7, k = 0.5 } = given;
  const base = gce({ q });
  const memory = sampleMemory('truncatedGce', numSamples, 1, 1, (v) => v === 0 || v === 1, '0 or 1');
  const constant = q === 0 ? -Math.log(k) : (1 - k ** q) / q;
  const loss: TruncatedGce['loss'] = (logits, labels, index) =>
    mean(
      weighRows(sub(base(logits, labels, { reduction: 'none' }), constant), reshape(memory.rows(index), [index.size])),
    );
  const objective: Objective = ({ x, y, index, forward }) => loss(forward(x), y, index);
  return Object.assign(objective, {
    loss,
    update(logits: NdArray<Float32Array>, labels: ArrayLike<number>): Uint8Array {
      const classes = logits.shape[1]!;
      const kept = Uint8Array.from(labels, (label, i) => {
        const row = logits.data.subarray(i * classes, (i + 1) * classes);
        const largest = Math.max(...row);
        const total = row.reduce((t, z) => t + Math.exp(z - largest), 0);
        return Number(Math.exp(row[label]! - largest) / total > k);
      });
      memory.set(kept);
      return kept;
    },
    state: () => memory.read(),
    setState: (kept: ArrayLike<number>) => memory.set(kept),
    dispose() {
      memory.dispose();
      base.dispose();
    },
  });
}
