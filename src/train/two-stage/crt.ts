import { any, checkOptions } from '../../check/check.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Layer } from '../../nn/layer.ts';
import { Linear } from '../../nn/linear-layer.ts';
import { Sequential } from '../../nn/sequential.ts';
import { sgd } from '../../optim/sgd.ts';
import { FIT_RULES } from '../fit-options.ts';
import { trainHead, widthOf, type HeadOptions } from './heads.ts';

/** Options of {@link crt}. */
export interface CrtOptions extends HeadOptions {
  /** The new classifier, from features to logits. Default: Linear(width, classes). */
  classifier?: Layer;
}

/**
 * Classifier re-training (cRT): a new classifier, trained on frozen features with class-balanced batches. Kang et al.,
 * "Decoupling representation and classifier for long-tailed recognition", ICLR 2020. Returns the head; its owner frees
 * it. Defaults: crossEntropyLoss(), classBalancedSampler(), sgd({ lr: 0.1, momentum: 0.9, weightDecay: 5e-4 }), 10
 * epochs.
 */
export async function crt(features: Dataset, all: CrtOptions = {}): Promise<Sequential> {
  checkOptions('crt', all, { ...FIT_RULES, classifier: any, gpu: any });
  const { classifier, gpu, ...options } = all;
  const head = Sequential({ classifier: classifier ?? Linear(widthOf('crt', features), features.numClasses) });
  return owned(head, async () => {
    head.init({ seed: options.seed ?? 0, gpu });
    await trainHead(head, features, { optimizer: sgd({ lr: 0.1, momentum: 0.9, weightDecay: 5e-4 }), ...options });
  });
}

/** `model` after `run`, which frees it when it fails. */
async function owned(model: Sequential, run: () => Promise<void>): Promise<Sequential> {
  try {
    await run();
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
