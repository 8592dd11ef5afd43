import { any, checkValue, integer } from '../check/check.ts';
import type { Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { Captured, capture } from '../tensor/capture.ts';
import type { ArrayInput } from '../tensor/array-input.ts';
import { NdArray, toNdArray } from '../tensor/ndarray.ts';
import { sizeOf } from '../tensor/shape.ts';
import { unscoped } from '../tensor/scope.ts';
import { noGrad } from '../tensor/tape.ts';
import { empty, Tensor } from '../tensor/tensor.ts';
import type { PassWeights } from './layer.ts';

/** How host data is run through a model. */
export interface BatchOptions {
  /** Rows on the device at a time. Default: 500. */
  batchSize?: number;
  signal?: AbortSignal;
}

/** How a model evaluates host data. */
export interface PredictOptions extends BatchOptions {
  /** Evaluate with these in place of the weights of the model, such as those of ema(). */
  weights?: PassWeights;
}

/** Rules of {@link BatchOptions}. */
export const BATCH_RULES = { batchSize: integer(1), signal: any } as const;
/** Rules of {@link PredictOptions}. */
export const PREDICT_RULES = { ...BATCH_RULES, weights: any } as const;

/**
 * f over the rows of host data (a Tensor is read first) in batches of one captured step; the result is read back once.
 */
export async function mapBatches(
  gpu: Gpu,
  input: ArrayInput,
  f: (batch: Tensor) => Tensor,
  { batchSize = 500, signal }: BatchOptions = {},
): Promise<NdArray<Float32Array>> {
  // No await for what is on the host already: the caller may reuse its memory at once.
  const x = input instanceof Tensor ? await input.array() : toNdArray('x', input);
  if (x.shape.length < 2)
    throw new ShapeError(`x has shape [${x.shape}], expected (n, ...): one item needs a leading axis of 1`);
  checkValue('batchSize', batchSize, BATCH_RULES.batchSize);
  const n = x.length;
  const features = sizeOf(x.shape.slice(1));
  const steps = new Map<number, { batch: Tensor; step: Captured<Tensor> }>();
  const inputs: Tensor[] = [];
  let all: Tensor | null = null;
  try {
    for (let start = 0; start < n; start += batchSize) {
      signal?.throwIfAborted();
      const rows = Math.min(batchSize, n - start);
      const chunk = x.data.subarray(start * features, (start + rows) * features);
      let known = steps.get(rows);
      if (known) {
        known.batch.write(chunk);
        known.step.run();
      } else {
        const batch = unscoped(() => empty([rows, ...x.shape.slice(1)], { gpu })).write(chunk);
        inputs.push(batch);
        known = { batch, step: capture(() => noGrad(() => f(batch)), { gpu }) };
        steps.set(rows, known);
      }
      const y = known.step.value;
      all ??= unscoped(() => empty([n, ...y.shape.slice(1)], { gpu }));
      const row = sizeOf(y.shape.slice(1)) * 4;
      gpu.recorder.push({
        kind: 'copy',
        from: y.storage,
        fromOffset: y.byteOffset,
        to: all.storage,
        toOffset: start * row,
        bytes: rows * row,
      });
    }
    if (!all) return new NdArray(new Float32Array(0), [0]);
    return await all.array();
  } finally {
    all?.dispose();
    for (const { step } of steps.values()) step.dispose();
    for (const batch of inputs) batch.dispose();
  }
}
