import { cast } from '../ops/cast.ts';
import { notEqual } from '../ops/compare.ts';
import { argmax } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { scope, unscoped } from '../tensor/scope.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';
import type { HeldWeights } from '../nn/pass-weights.ts';

/** What can be attacked: anything that maps a batch (n, ...) to logits (n, classes) on the device. */
export interface AttackedModel {
  /** The context of an attack asks for evaluation mode. */
  forward(x: Tensor, context?: EvaluationContext): Tensor;
  /** Holds the weights as they are: an attack awaits, and the model may be in training. Default: the model does not change. */
  snapshot?(): HeldWeights;
}

/** What attacks and certifiers tell a forward pass. */
export interface EvaluationContext {
  readonly training: boolean;
  readonly weights?: HeldWeights;
}

/** `run` of the model in evaluation mode, with the weights that it has now until the end. */
export async function holding<T>(model: AttackedModel, run: (held: AttackedModel) => Promise<T>): Promise<T> {
  const weights = model.snapshot?.();
  const context = { training: false, ...(weights && { weights }) };
  try {
    return await run({ forward: (x) => model.forward(x, context) });
  } finally {
    weights?.dispose();
  }
}

/**
 * The model with its outputs checked: `forward` throws a ShapeError, naming `op`, unless they are (n, classes), and a RangeError where
 * one of the labels, which are read once, lies outside the classes.
 */
export async function checked(op: string, model: AttackedModel, labels: Tensor<'i32'>): Promise<AttackedModel> {
  const values = await labels.read();
  return {
    forward: (x) => {
      const logits = model.forward(x);
      if (logits.rank !== 2 || logits.shape[0] !== x.shape[0]) throw new ShapeError(`${op}: the model gives shape [${logits.shape}], expected (${x.shape[0]}, classes)`);
      const classes = logits.shape[1]!;
      const at = values.findIndex((y) => !(y >= 0 && y < classes));
      if (at >= 0) throw new RangeError(`${op}: labels[${at}] is ${values[at]}, expected an integer in 0..${classes - 1}`);
      return logits;
    },
  };
}

/** What `make` returns, which the caller owns; everything else that it made is freed. */
export const made = <T>(make: () => T): T => unscoped(() => scope(make));

/** Where the largest logit, the first of equals, is not at the label: (n). */
export function isFooled(logits: Tensor, labels: Tensor<'i32'>): Tensor<'bool'> {
  return notEqual(cast(argmax(logits), 'i32'), labels);
}

/** A value for each sample as (n, 1, ...), to go beside x. */
export function beside<D extends DType>(values: Tensor<D>, x: Tensor): Tensor<D> {
  return reshape(values, [x.shape[0]!, ...x.shape.slice(1).map(() => 1)]);
}

/** Throws a ShapeError, naming `op`, unless there is a label for each sample. */
export function checkBatch(op: string, x: Tensor, labels: Tensor<'i32'>): void {
  if (x.rank < 2) throw new ShapeError(`${op}: x has shape [${x.shape}], expected (n, ...): one item needs a leading axis of 1`);
  expectShape(labels, [x.shape[0]!], `${op}: labels`);
}
