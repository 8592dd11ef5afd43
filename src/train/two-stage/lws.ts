import { any, boolean, checkOptions } from '../../check/check.ts';
import { makeDataset, type Dataset } from '../../data/dataset.ts';
import type { SplitModel } from '../../nn/backbone.ts';
import { ClassScale } from '../../nn/class-scale.ts';
import { CosineLinear } from '../../nn/cosine-linear.ts';
import { startingFrom } from '../../nn/init.ts';
import type { Layer } from '../../nn/layer.ts';
import { Linear } from '../../nn/linear-layer.ts';
import { mapBatches } from '../../nn/map-batches.ts';
import { Sequential } from '../../nn/sequential.ts';
import { sgd } from '../../optim/sgd.ts';
import { FIT_RULES } from '../fit-options.ts';
import { trainHead, widthOf, type HeadOptions } from './heads.ts';

/** Options of {@link lws}. */
export interface LwsOptions extends HeadOptions {
  /** Learn a shift for each class too: LWS-plus. Default: false. */
  bias?: boolean;
}

/**
 * Learnable weight scaling (LWS): a factor f_c for each class on the logits of the classifier, which stays as it is:
 * f_c z_c, and f_c z_c + g_c with `bias` (LWS-plus). Kang et al., ICLR 2020. Trained on features with class-balanced
 * batches; returns a head that holds a copy of the classifier. Defaults as `crt`, without weight decay: it would pull
 * the factors to 0.
 */
export async function lws(
  features: Dataset,
  classifier: SplitModel['classifier'],
  all: LwsOptions = {},
): Promise<Sequential> {
  checkOptions('lws', all, { ...FIT_RULES, bias: boolean, gpu: any });
  const { bias = false, gpu, ...options } = all;
  if (widthOf('lws', features) !== classifier.inFeatures)
    throw new RangeError(
      `lws: the features have width ${features.x.shape[1]}, the classifier takes ${classifier.inFeatures}`,
    );
  const device = classifier.params.weight!.gpu;
  // Both at once: the model of the classifier may be trained meanwhile.
  const [logits, copy] = await Promise.all([
    mapBatches(gpu ?? device, features.x, (x) => classifier.forward(x)),
    copyOf(classifier),
  ]);
  using scaler = Sequential(ClassScale(classifier.outFeatures, { bias })).init({ gpu: device });
  await trainHead(scaler, makeDataset(logits, features.y, { numClasses: features.numClasses }), {
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    ...options,
  });
  const found = await scaler.stateDict();
  const scale = startingFrom(ClassScale(classifier.outFeatures, { bias }), {
    scale: () => found.get('0.scale')!.data,
    bias: () => found.get('0.bias')!.data,
  });
  return Sequential({ classifier: copy, scale }).init({ gpu: device });
}

/** The classifier with its values, to be put into a head. */
async function copyOf(classifier: SplitModel['classifier']): Promise<Layer> {
  const { inFeatures, outFeatures, params } = classifier;
  const [weight, bias] = await Promise.all([params.weight!.read(), params.bias?.read()]);
  if (classifier.kind === 'CosineLinear')
    return startingFrom(CosineLinear(inFeatures, outFeatures, { scale: classifier.scale }), { weight: () => weight });
  return startingFrom(Linear(inFeatures, outFeatures, { bias: classifier.bias }), {
    weight: () => weight,
    bias: () => bias!,
  });
}
