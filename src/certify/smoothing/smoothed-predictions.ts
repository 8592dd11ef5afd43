import { any, checkOptions, integer, required } from '../../check/check.ts';
import { currentGpu } from '../../gpu/device.ts';
import { ShapeError } from '../../gpu/errors.ts';
import { add } from '../../ops/binary.ts';
import { classOf } from '../../ops/class-of.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { key, PURPOSE, splitKey } from '../../random/key.ts';
import { addNormal } from '../../random/random.ts';
import { readArray, type ArrayInput } from '../../tensor/array-input.ts';
import { scope, unscoped } from '../../tensor/scope.ts';
import { noGrad } from '../../tensor/tape.ts';
import { tensor, zeros, type Tensor } from '../../tensor/tensor.ts';
import { SIGMA } from '../../stats/noise-deviation.ts';
import { expectFiniteModel } from '../finite-model.ts';
import type { BaseClassifier } from './noisy-votes.ts';
import { expectPowers, powersOf } from '../../nn/powers.ts';

/** Options of {@link smoothedPredictions}. */
export interface SmoothedPredictionsOptions {
  numClasses: number;
  sigma: number;
  /** Noisy copies of each image. Default: 10,000, as CAT-RS. */
  n?: number;
  /** Of the noise. Default: 0. */
  seed?: number;
  /** Images at a time. Default: 1000. */
  batchSize?: number;
  signal?: AbortSignal;
  /** Called after each batch with the images done. */
  onProgress?: (done: number) => void;
}

/**
 * How often a model under noise gives each class, (images, classes): the targets of `catRs`, off the tape and owned by
 * the caller. input: (images, ...). A copy to which the model gives no class (its logits hold a NaN, or an infinity
 * that two share as the largest) counts in none, so that a row then sums to less than 1; weights that are not finite
 * are refused. The model is used in evaluation mode, with the weights that it has at the call. Throws RangeError on
 * options out of range, ShapeError unless the model gives (images, numClasses).
 */
export async function smoothedPredictions(
  model: BaseClassifier,
  input: ArrayInput,
  options: SmoothedPredictionsOptions,
): Promise<Tensor> {
  checkOptions('smoothedPredictions', options, {
    numClasses: required(integer(2)),
    sigma: required(SIGMA),
    n: integer(1),
    seed: any,
    batchSize: integer(1),
    signal: any,
    onProgress: any,
  });
  const { numClasses, sigma, n = 10_000, seed = 0, batchSize = 1000, signal, onProgress } = options;
  const root = splitKey(key(seed), PURPOSE.smoothing);
  const gpu = currentGpu();
  // The weights of this moment: the model may be in training while inputs and votes are awaited.
  const weights = model.snapshot?.();
  const powers = powersOf(model);
  const context = { training: false, ...(weights && { weights }) };
  try {
    const x = await readArray('smoothedPredictions: x', input);
    await expectFiniteModel('smoothedPredictions', model);
    const images = x.shape[0]!;
    const size = x.data.length / Math.max(1, images);
    const shares = new Float32Array(images * numClasses);
    for (let first = 0; first < images; first += batchSize) {
      const rows = Math.min(batchSize, images - first);
      const part = unscoped(() =>
        tensor(x.data.subarray(first * size, (first + rows) * size), { shape: [rows, ...x.shape.slice(1)], gpu }),
      );
      const own = splitKey(root, first);
      let votes = unscoped(() => zeros([rows, numClasses], { gpu: part.gpu }));
      try {
        for (let i = 0; i < n; i++) {
          signal?.throwIfAborted();
          expectPowers('smoothedPredictions', model, powers);
          const before = votes;
          votes = unscoped(() =>
            scope(() =>
              noGrad(() =>
                add(
                  before,
                  oneHot(
                    classOf(
                      checked(
                        model.forward(addNormal(part, own, { std: sigma, stream: i }), context),
                        rows,
                        numClasses,
                      ),
                    ),
                    numClasses,
                  ),
                ),
              ),
            ),
          );
          before.dispose();
          // A bounded queue keeps an abort prompt and memory flat.
          if (i % 16 === 15) await part.gpu.sync();
        }
        (await votes.read()).forEach((v, i) => (shares[first * numClasses + i] = v / n));
      } finally {
        part.dispose();
        votes.dispose();
      }
      onProgress?.(first + rows);
    }
    return unscoped(() => tensor(shares, { shape: [images, numClasses], gpu }));
  } finally {
    weights?.dispose();
  }
}

function checked(logits: Tensor, rows: number, classes: number): Tensor {
  if (logits.rank !== 2 || logits.shape[0] !== rows || logits.shape[1] !== classes)
    throw new ShapeError(
      `smoothedPredictions: the model gives shape [${logits.shape}], expected (${rows}, ${classes})`,
    );
  return logits;
}
