import { checkOptions } from '../../check/check.ts';
import { expectOptions } from '../../check/options.ts';
import { makeDataset, type Dataset } from '../../data/dataset.ts';
import { classBalancedSampler } from '../../data/sampler.ts';
import type { Gpu } from '../../gpu/device.ts';
import { crossEntropyLoss } from '../../losses/cross-entropy-loss.ts';
import type { Backbone } from '../../nn/backbone.ts';
import { startingFrom } from '../../nn/init.ts';
import { Linear } from '../../nn/linear-layer.ts';
import { PREDICT_RULES, type PredictOptions } from '../../nn/map-batches.ts';
import { Sequential } from '../../nn/sequential.ts';
import type { NdArray } from '../../tensor/ndarray.ts';
import { fit } from '../fit.ts';
import type { FitOptions } from '../fit-options.ts';

/** Features of a dataset, with its labels: what heads are trained on. */
export async function featuresOf(backbone: Backbone, data: Dataset, options: PredictOptions = {}): Promise<Dataset> {
  checkOptions('featuresOf', options, PREDICT_RULES);
  return makeDataset(await backbone.features(data.x, options), data.y, { numClasses: data.numClasses });
}

/** How a head is trained: the options of `fit`, all with defaults. */
export interface HeadOptions extends Partial<FitOptions> {
  gpu?: Gpu;
}

/**
 * A head of given numbers, such as those of `logisticRegression`: weight (classes, width), and a bias unless it is left
 * out.
 */
export function linearHead(
  { weight, bias }: { weight: NdArray; bias?: ArrayLike<number> },
  options: { gpu?: Gpu } = {},
): Sequential {
  expectOptions('linearHead', options, ['gpu']);
  const [classes, width] = weight.shape as [number, number];
  if (weight.shape.length !== 2)
    throw new RangeError(`linearHead: weight has shape [${weight.shape}], expected (classes, width)`);
  if (bias && bias.length !== classes)
    throw new RangeError(`linearHead: bias has ${bias.length} entries, expected ${classes}`);
  const layer = startingFrom(Linear(width, classes, { bias: bias !== undefined }), {
    weight: () => Float32Array.from(weight.data),
    bias: () => Float32Array.from(bias ?? []),
  });
  return Sequential({ classifier: layer }).init(options);
}

/**
 * Trains a head on features with class-balanced batches, by cross-entropy for 10 epochs unless the options say
 * otherwise.
 */
export async function trainHead(
  head: Sequential,
  data: Dataset,
  options: Partial<FitOptions> & Pick<FitOptions, 'optimizer'>,
): Promise<void> {
  const own = options.loss || options.objective ? null : crossEntropyLoss();
  try {
    await fit(head, data, { epochs: 10, sampler: classBalancedSampler(), ...(own ? { loss: own } : {}), ...options });
  } finally {
    own?.dispose();
  }
}

/** Width of features (n, width). Throws RangeError on another shape. */
export function widthOf(where: string, { x }: Dataset): number {
  if (x.shape.length !== 2)
    throw new RangeError(`${where}: features have shape [${x.shape}], expected (n, width); see featuresOf()`);
  return x.shape[1]!;
}
