import { makeDataset, type Dataset } from '../data/dataset.ts';
import { classBalancedSampler } from '../data/sampler.ts';
import type { Gpu } from '../gpu/device.ts';
import { crossEntropy } from '../losses/cross-entropy.ts';
import type { Backbone, SplitModel } from '../nn/backbone.ts';
import { classScale } from '../nn/class-scale.ts';
import { cosineLinear } from '../nn/cosine-linear.ts';
import { startingFrom } from '../nn/init.ts';
import type { Layer } from '../nn/layer.ts';
import { linear } from '../nn/linear.ts';
import { mapBatches, type BatchOptions } from '../nn/map-batches.ts';
import { sequential, type Sequential } from '../nn/sequential.ts';
import { sgd } from '../optim/sgd.ts';
import { classStatistics } from '../stats/class-statistics.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { fit, type FitOptions } from './fit.ts';

/** Features of a dataset, with its labels: what heads are trained on. */
export async function featuresOf(backbone: Backbone, data: Dataset, options: BatchOptions = {}): Promise<Dataset> {
  return makeDataset(await backbone.features(data.x, options), data.y, { numClasses: data.numClasses });
}

/** How a head is trained: the options of `fit`, all with defaults. */
export interface HeadOptions extends Partial<FitOptions> {
  gpu?: Gpu;
}

/** Options of {@link crt}. */
export interface CrtOptions extends HeadOptions {
  /** The new classifier, from features to logits. Default: linear(width, classes). */
  classifier?: Layer;
}

/** Options of {@link lws}. */
export interface LwsOptions extends HeadOptions {
  /** Learn a shift for each class too: LWS-plus. Default: false. */
  bias?: boolean;
}

/**
 * Classifier re-training (cRT): a new classifier, trained on frozen features with class-balanced batches. Kang et al.,
 * "Decoupling representation and classifier for long-tailed recognition", ICLR 2020. Returns the head; its owner frees it.
 * Defaults: crossEntropy(), classBalancedSampler(), sgd({ lr: 0.1, momentum: 0.9, weightDecay: 5e-4 }), 10 epochs.
 */
export async function crt(features: Dataset, { classifier, gpu, ...options }: CrtOptions = {}): Promise<Sequential> {
  const head = sequential({ classifier: classifier ?? linear(widthOf('crt', features), features.numClasses) });
  return owned(head, async () => {
    head.init({ seed: options.seed ?? 0, gpu });
    await trainHead(head, features, { optimizer: sgd({ lr: 0.1, momentum: 0.9, weightDecay: 5e-4 }), ...options });
  });
}

/**
 * Learnable weight scaling (LWS): a factor f_c for each class on the logits of the classifier, which stays as it is: f_c z_c, and
 * f_c z_c + g_c with `bias` (LWS-plus). Kang et al., ICLR 2020. Trained on features with class-balanced batches; returns a head
 * that holds a copy of the classifier. Defaults as {@link crt}, without weight decay: it would pull the factors to 0.
 */
export async function lws(features: Dataset, classifier: SplitModel['classifier'], { bias = false, gpu, ...options }: LwsOptions = {}): Promise<Sequential> {
  if (widthOf('lws', features) !== classifier.inFeatures) throw new RangeError(`lws: the features have width ${features.x.shape[1]}, the classifier takes ${classifier.inFeatures}`);
  const device = classifier.params.weight!.gpu;
  const logits = await mapBatches(gpu ?? device, features.x, (x) => classifier.forward(x));
  using scaler = sequential(classScale(classifier.outFeatures, { bias })).init({ gpu: device });
  await trainHead(scaler, makeDataset(logits, features.y, { numClasses: features.numClasses }), { optimizer: sgd({ lr: 0.1, momentum: 0.9 }), ...options });
  const found = await scaler.stateDict();
  const copy = await copyOf(classifier);
  const scale = startingFrom(classScale(classifier.outFeatures, { bias }), {
    scale: () => found.get('0.scale')!.data,
    bias: () => found.get('0.bias')!.data,
  });
  return sequential({ classifier: copy, scale }).init({ gpu: device });
}

/** Options of {@link tauNorm}. */
export interface TauNormOptions {
  /** 0 leaves the weights as they are, 1 gives them unit length. Default: 1. The paper chooses it on held-out data. */
  tau?: number;
}

/**
 * tau-normalised classifier: weights w_c / |w_c|^tau, without bias. Nothing is trained. Kang et al., ICLR 2020; the bias is
 * dropped there too. A class whose weights are all zero keeps them. Throws TypeError for a cosine classifier, which has unit weights.
 */
export async function tauNorm(classifier: SplitModel['classifier'], { tau = 1 }: TauNormOptions = {}): Promise<Sequential> {
  if (classifier.kind !== 'linear') throw new TypeError(`tauNorm: the classifier is ${classifier.kind}, whose weights have unit length, expected linear`);
  if (!(tau >= 0 && tau < Infinity)) throw new RangeError(`tauNorm: tau is ${tau}, expected a finite number >= 0`);
  const { inFeatures, outFeatures, params } = classifier;
  const weight = await params.weight!.read();
  for (let c = 0; c < outFeatures; c++) {
    const row = weight.subarray(c * inFeatures, (c + 1) * inFeatures);
    const length = Math.hypot(...row);
    if (length > 0) row.forEach((v, i) => (row[i] = v / length ** tau));
  }
  return linearHead({ weight: new NdArray(weight, [outFeatures, inFeatures]) }, { gpu: params.weight!.gpu });
}

/** Options of {@link nearestClassMean}. */
export interface NearestClassMeanOptions {
  /** 'cosine': logits are the cosines of features and class means. Default: 'euclidean', the negative squared distance. */
  metric?: 'euclidean' | 'cosine';
  gpu?: Gpu;
}

/**
 * Nearest class mean as a head. 'euclidean': 2 m_c . x - |m_c|^2, which is -|x - m_c|^2 up to a term that all classes share.
 * Throws RangeError when a class has no sample: it has no mean.
 */
export function nearestClassMean(features: Dataset, { metric = 'euclidean', gpu }: NearestClassMeanOptions = {}): Sequential {
  if (metric !== 'euclidean' && metric !== 'cosine') throw new RangeError(`nearestClassMean: metric is ${String(metric)}, expected 'euclidean' or 'cosine'`);
  const width = widthOf('nearestClassMean', features);
  const { classes, means, counts } = classStatistics(features.x, features.y, features.numClasses, { covariance: 'diagonal' });
  const empty = counts.indexOf(0);
  if (empty >= 0) throw new RangeError(`nearestClassMean: class ${empty} has no sample, so no mean`);
  if (metric === 'cosine') return sequential({ classifier: startingFrom(cosineLinear(width, classes), { weight: () => Float32Array.from(means) }) }).init({ gpu });
  const bias = Float64Array.from({ length: classes }, (_, c) => -means.subarray(c * width, (c + 1) * width).reduce((sum, v) => sum + v * v, 0));
  return linearHead({ weight: new NdArray(means.map((v) => 2 * v), [classes, width]), bias }, { gpu });
}

/** A head of given numbers, such as those of `logisticRegression`: weight (classes, width), and a bias unless it is left out. */
export function linearHead({ weight, bias }: { weight: NdArray; bias?: ArrayLike<number> }, { gpu }: { gpu?: Gpu } = {}): Sequential {
  const [classes, width] = weight.shape as [number, number];
  if (weight.shape.length !== 2) throw new RangeError(`linearHead: weight has shape [${weight.shape}], expected (classes, width)`);
  if (bias && bias.length !== classes) throw new RangeError(`linearHead: bias has ${bias.length} entries, expected ${classes}`);
  const layer = startingFrom(linear(width, classes, { bias: bias !== undefined }), { weight: () => Float32Array.from(weight.data), bias: () => Float32Array.from(bias ?? []) });
  return sequential({ classifier: layer }).init({ gpu });
}

/** The classifier with its values, to be put into a head. */
async function copyOf(classifier: SplitModel['classifier']): Promise<Layer> {
  const { inFeatures, outFeatures, params } = classifier;
  const weight = await params.weight!.read();
  if (classifier.kind === 'cosineLinear') return startingFrom(cosineLinear(inFeatures, outFeatures, { scale: classifier.scale }), { weight: () => weight });
  const bias = classifier.bias ? await params.bias!.read() : null;
  return startingFrom(linear(inFeatures, outFeatures, { bias: classifier.bias }), { weight: () => weight, bias: () => bias! });
}

async function trainHead(head: Sequential, data: Dataset, options: Partial<FitOptions> & Pick<FitOptions, 'optimizer'>): Promise<void> {
  const own = options.loss || options.objective ? null : crossEntropy();
  try {
    await fit(head, data, { epochs: 10, sampler: classBalancedSampler(), ...(own ? { loss: own } : {}), ...options });
  } finally {
    own?.dispose();
  }
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

function widthOf(where: string, { x }: Dataset): number {
  if (x.shape.length !== 2) throw new RangeError(`${where}: features have shape [${x.shape}], expected (n, width); see featuresOf()`);
  return x.shape[1]!;
}
