import { checkOptions } from '../check/check.ts';
import type { Gpu } from '../gpu/device.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { ShapeError } from '../gpu/errors.ts';
import { softmax } from '../ops/softmax.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { CosineLinear } from './cosine-linear.ts';
import { asView } from './entries.ts';
import type { Layer, PassWeights } from './layer.ts';
import type { Linear } from './linear-layer.ts';
import { BATCH_RULES, mapBatches, PREDICT_RULES, type BatchOptions, type PredictOptions } from './map-batches.ts';
import { Snapshot, type HeldWeights } from './pass-weights.ts';
import { SequentialModel, type Sequential } from './sequential.ts';

/** A model in two parts. Both are views: the model owns the parameters and must outlive them. */
export interface SplitModel {
  readonly backbone: Backbone;
  /** The last layer. */
  readonly classifier: Linear | CosineLinear;
}

/**
 * The last layer of a model, which must be a Linear or CosineLinear, and everything before it. A last layer that is
 * itself a Sequential is opened. Throws TypeError for a model that ends otherwise.
 */
export function splitClassifier(model: Sequential): SplitModel {
  let last: Layer | undefined = model.layers.at(-1);
  while (last instanceof SequentialModel) last = last.layers.at(-1);
  if (last?.kind !== 'Linear' && last?.kind !== 'CosineLinear')
    throw new TypeError(
      `splitClassifier: the last layer is ${last?.kind ?? 'missing'}, expected Linear or CosineLinear`,
    );
  const classifier = last as Linear | CosineLinear;
  return { backbone: new Backbone(model, withoutLast(model), classifier.inFeatures), classifier };
}

function withoutLast(model: Sequential): Sequential {
  const entries = Object.entries(model.children);
  const [name, last] = entries.pop()!;
  return asView(
    new SequentialModel(
      Object.fromEntries(last instanceof SequentialModel ? [...entries, [name, withoutLast(last)]] : entries),
    ),
  );
}

/** A model without its last layer, frozen: always in evaluation mode. */
export class Backbone {
  /** Features of one input. */
  readonly width: number;
  readonly #model: Sequential;
  readonly #layers: Sequential;

  /** Use {@link splitClassifier}. */
  constructor(model: Sequential, layers: Sequential, width: number) {
    this.#model = model;
    this.#layers = layers;
    this.width = width;
  }

  get gpu(): Gpu {
    return this.#model.arena.values.gpu;
  }

  /** The layers of the model, for snapshots. */
  get model(): Sequential {
    return this.#model;
  }

  /** Features (batch, width) of a batch, on the device. */
  forward(x: Tensor, { weights }: { weights?: PassWeights } = {}): Tensor {
    void this.#model.arena;
    const y = this.#layers.forward(x, weights ? { weights } : {});
    if (y.rank !== 2)
      throw new ShapeError(`backbone: the features have shape [${y.shape}], expected (batch, ${this.width})`);
    return y;
  }

  /** Features (n, width) of host data (n, ...), in batches of `batchSize` (default 500). */
  features(x: NdArray, options: PredictOptions = {}): Promise<NdArray<Float32Array>> {
    checkOptions('backbone.features', options, PREDICT_RULES);
    const { weights, ...batches } = options;
    return mapBatches(this.gpu, x, (batch) => this.forward(batch, weights ? { weights } : {}), batches);
  }

  /** The backbone with another head, a map from features to logits that it owns from then on. */
  with(head: Sequential): Reheaded {
    return new Reheaded(this, head);
  }
}

/**
 * A frozen backbone with a head of its own: gives logits and probabilities as a model does, always in evaluation mode.
 */
export class Reheaded {
  readonly backbone: Backbone;
  readonly head: Sequential;

  /** Use {@link Backbone.with}. */
  constructor(backbone: Backbone, head: Sequential) {
    this.backbone = backbone;
    this.head = head;
  }

  /**
   * Logits of a batch, on the device, in evaluation mode. Throws RangeError when the context asks for training: train
   * the head on features.
   */
  forward(x: Tensor, { training = false, weights }: { training?: boolean; weights?: PassWeights } = {}): Tensor {
    if (training)
      throw new RangeError(
        'reheaded.forward: training is true, expected false; train the head by itself, on features of the backbone',
      );
    const context = weights ? { weights } : {};
    return this.head.forward(this.backbone.forward(x, context), context);
  }

  /** The weights of backbone and head as they are now. */
  snapshot(): HeldWeights {
    return new Snapshot([this.backbone.model, this.head]);
  }

  /** Logits (n, classes) of host data (n, ...). */
  logits(x: NdArray, options: BatchOptions = {}): Promise<NdArray<Float32Array>> {
    checkOptions('reheaded.logits', options, BATCH_RULES);
    return mapBatches(this.backbone.gpu, x, (batch) => this.forward(batch), options);
  }

  /** Class probabilities (n, classes) of host data (n, ...); rows sum to 1. */
  predict(x: NdArray, options: BatchOptions = {}): Promise<NdArray<Float32Array>> {
    checkOptions('reheaded.predict', options, BATCH_RULES);
    return mapBatches(this.backbone.gpu, x, (batch) => softmax(this.forward(batch)), options);
  }

  /** Frees the head; the backbone belongs to its model. Idempotent. */
  dispose(): void {
    this.head.dispose();
  }

  [symbolDispose](): void {
    this.dispose();
  }
}
