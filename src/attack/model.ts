import { check, integer, listOf } from '../check/check.ts';
import { classOf } from '../ops/class-of.ts';
import { greaterEqual, isFinite, less, logicalAnd, logicalNot, logicalOr, notEqual } from '../ops/compare.ts';
import { isNan } from '../ops/is-nan.ts';
import { all } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { where } from '../ops/where.ts';
import { NonFiniteError, ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { scope, unscoped } from '../tensor/scope.ts';
import type { HeldWeights } from '../nn/pass-weights.ts';
import { expectPowers, powersOf } from '../nn/powers.ts';
import { currentGpu } from '../gpu/device.ts';
import { readArray, readLabels, type ArrayInput, type LabelsInput } from '../tensor/array-input.ts';
import { expectDType, expectShape, tensor, Tensor } from '../tensor/tensor.ts';

/** What can be attacked: anything that maps a batch (n, ...) to logits (n, classes) on the device. */
export interface AttackedModel {
  /** The context of an attack asks for evaluation mode. */
  forward(x: Tensor, context?: EvaluationContext): Tensor;
  /**
   * Holds the weights as they are: an attack awaits, and the model may be in training. Default: the model does not
   * change.
   */
  snapshot?(): HeldWeights;
  /** What is on the host goes to the device on which these lie. Default: the current device. */
  readonly parameters?: ReadonlyMap<string, Tensor>;
}

/** The context that attacks and certifiers give a forward pass. */
export interface EvaluationContext {
  readonly training: boolean;
  readonly weights?: HeldWeights;
}

/** A model in evaluation mode, with the weights that it had when the attack began. */
export interface HeldModel extends AttackedModel {
  /**
   * Throws an Error where p of a distance layer is no longer what it was then: no snapshot holds it, and captured steps
   * follow it.
   */
  expectSame(): void;
  /** By which an attack on it finds those layers. */
  readonly children: { readonly model: AttackedModel };
}

/** `run` of the model for `op`, in evaluation mode, with the weights that it has now until the end. */
export async function holding<T>(op: string, model: AttackedModel, run: (held: HeldModel) => Promise<T>): Promise<T> {
  const weights = model.snapshot?.();
  const context = { training: false, ...(weights && { weights }) };
  const powers = powersOf(model);
  const expectSame = (): void => expectPowers(op, model, powers, 'attack');
  try {
    return await run({
      forward: (x) => {
        expectSame();
        return model.forward(x, context);
      },
      expectSame,
      children: { model },
      ...(model.parameters && { parameters: model.parameters }),
    });
  } finally {
    weights?.dispose();
  }
}

/**
 * The model with its outputs checked: `forward` throws a ShapeError, naming `op`, unless they are (n, classes), and a
 * RangeError where one of the labels, `values`, lies outside the classes.
 */
export function checked(op: string, model: AttackedModel, values: Int32Array): AttackedModel {
  return {
    forward: (x) => {
      const logits = model.forward(x);
      if (logits.rank !== 2 || logits.shape[0] !== x.shape[0])
        throw new ShapeError(`${op}: the model gives shape [${logits.shape}], expected (${x.shape[0]}, classes)`);
      const classes = logits.shape[1]!;
      const at = values.findIndex((y) => !(y >= 0 && y < classes));
      if (at >= 0)
        throw new RangeError(`${op}: labels[${at}] is ${values[at]}, expected an integer in 0..${classes - 1}`);
      return logits;
    },
  };
}

/** What `make` returns, which the caller owns; all other tensors that it creates are freed. */
export const kept = <T>(make: () => T): T => unscoped(() => scope(make));

/**
 * Which samples get another class than the label, and which no class ({@link classOf}): (n) each. A sample without a
 * class does not count as fooled.
 */
export function judged(logits: Tensor, labels: Tensor<'i32'>): { isFooled: Tensor<'bool'>; isLost: Tensor<'bool'> } {
  const classes = classOf(logits);
  return { isFooled: logicalAnd(notEqual(classes, labels), greaterEqual(classes, 0)), isLost: less(classes, 0) };
}

/** The lowest f32: less than the value of every sample that has one. */
export const LOWEST = -3.4028234663852886e38;

/** A value of each sample, (n), LOWEST where it is NaN or the sample has no class: it is then never the larger one. */
export function ranked(values: Tensor, isLost: Tensor<'bool'>): Tensor {
  return where(logicalOr(isNan(values), isLost), LOWEST, values);
}

/** The gradient of each sample, zero where one of its numbers is not finite, and which samples that concerns, (n). */
export function steady(slope: Tensor): { slope: Tensor; isLost: Tensor<'bool'> } {
  const isSteady = all(isFinite(slope), { axes: slope.shape.map((_, i) => i).slice(1) });
  return { slope: where(perSample(isSteady, slope), slope, 0), isLost: logicalNot(isSteady) };
}

/**
 * Throws a NonFiniteError, naming `op` and the first sample, where an attack met a value or a gradient that is not
 * finite, (n) flags, and has not found an adversarial point all the same: `succeeded` gives those flags, which are
 * freed.
 */
export async function expectWay(op: string, isLost: Tensor<'bool'>, succeeded: () => Tensor<'bool'>): Promise<void> {
  const lost = await isLost.read();
  if (!lost.some(Boolean)) return;
  const flags = succeeded();
  const has = await flags.read().finally(() => flags.dispose());
  const at = lost.findIndex((v, i) => Boolean(v) && !has[i]);
  if (at < 0) return;
  throw new NonFiniteError(
    `${op}: the model gives sample ${at}, or a point of its ball, outputs or a gradient that are NaN or ` +
      'infinite: no attack along them says anything; mend the model, or leave the sample out',
  );
}

/** A value for each sample as (n, 1, ...), which broadcasts over x. */
export function perSample<D extends DType>(values: Tensor<D>, x: Tensor): Tensor<D> {
  return reshape(values, [x.shape[0]!, ...x.shape.slice(1).map(() => 1)]);
}

/**
 * An attack on samples and labels wherever they lie: what the host gives is uploaded, to the device of the model's
 * parameters, and freed afterwards. Throws, naming `op`, on labels that are no integers and on other element types.
 */
export async function onDevice(
  op: string,
  model: AttackedModel,
  x: ArrayInput,
  labels: LabelsInput,
  attack: (x: Tensor, labels: Tensor<'i32'>) => Promise<Tensor>,
): Promise<Tensor> {
  const made: Tensor<DType>[] = [];
  const parameter: Tensor | undefined = model.parameters?.values().next().value;
  const gpu = x instanceof Tensor ? x.gpu : (parameter?.gpu ?? currentGpu());
  const upload = <D extends DType>(make: () => Tensor<D>): Tensor<D> => {
    const t = unscoped(make);
    made.push(t);
    return t;
  };
  try {
    const on =
      x instanceof Tensor ? x : await readArray(`${op}: x`, x).then((host) => upload(() => tensor(host, { gpu })));
    const of =
      labels instanceof Tensor
        ? labels
        : await integers(op, labels).then((list) => upload(() => tensor(list, { dtype: 'i32', gpu })));
    expectDType(on, 'f32', `${op}: x`);
    expectDType(of, 'i32', `${op}: labels`);
    return await attack(on as Tensor, of as Tensor<'i32'>);
  } finally {
    for (const t of made) t.dispose();
  }
}

async function integers(op: string, labels: LabelsInput): Promise<ArrayLike<number>> {
  const list = await readLabels(`${op}: labels`, labels);
  check(op, { labels: list }, { labels: listOf(integer()) });
  return list;
}

/** Throws a ShapeError, naming `op`, unless there is a label for each sample. */
export function checkBatch(op: string, x: Tensor, labels: Tensor<'i32'>): void {
  if (x.rank < 2)
    throw new ShapeError(`${op}: x has shape [${x.shape}], expected (n, ...): one item needs a leading axis of 1`);
  expectShape(labels, [x.shape[0]!], `${op}: labels`);
}
