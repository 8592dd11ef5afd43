import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { classTable, crossEntropy as fused, type ClassAdjustments } from '../ops/cross-entropy.ts';
import { toLabels } from '../ops/labels.ts';
import { expectReduction, REDUCTIONS, type Reduction } from '../ops/reduction.ts';
import { unscoped } from '../tensor/scope.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** What a loss may take beside logits and labels. */
export interface LossInputs {
  /** (...): factor of each sample's value, at least 0; constant for the gradient. */
  sampleWeight?: Tensor;
  /** In place of the reduction of the loss: a wrapper asks for 'none', one value a sample. */
  reduction?: Reduction;
}

/** A training loss: logits (..., classes) before labels (...). */
export interface Loss {
  (logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, inputs?: LossInputs): Tensor;
  readonly name: string;
  /** How the values of a batch become one, unless the call says otherwise. */
  readonly reduction: Reduction;
  /** Replaces the class weights; null puts back those that the loss was made with. A captured step follows. */
  setClassWeight(weight: ArrayLike<number> | null): void;
  dispose(): void;
}

/** Options of losses on the fused cross-entropy. */
export interface FusedLossOptions extends ClassAdjustments {
  s?: number;
  reduction?: Reduction;
  labelSmoothing?: number;
  ignoreIndex?: number;
  /** Number of classes that the logits must have; unset: any. */
  classes?: number;
}

/**
 * A loss on the fused cross-entropy: per-class adjustments live in one small device table that the host can rewrite.
 * Throws RangeError or ShapeError under the loss's name: on an unknown reduction and, where `classes` is given, at once
 * on lists that do not fit it, are not finite, or hold a negative weight; else when the logits come.
 */
export function fusedLoss(
  name: string,
  { scale, shift, margin, weight, classes, reduction = 'weightedMean', ...rest }: FusedLossOptions,
): Loss {
  expectReduction(name, reduction, REDUCTIONS);
  const entries = (k: number, classWeight = weight): Float32Array<ArrayBuffer> =>
    classTable(k, { scale, shift, margin, weight: classWeight }, name);
  if (classes !== undefined) entries(classes);
  // One table for each number of classes met: an earlier loss may still go backward through its own.
  const tables = new Map<number, Tensor>();
  let current = weight;
  const loss = (
    logits: Tensor,
    labels: Tensor<'i32'> | ArrayLike<number>,
    { sampleWeight, reduction: asked = reduction }: LossInputs = {},
  ): Tensor => {
    const k = logits.shape.at(-1) ?? 0;
    if (k === 0 || (classes !== undefined && k !== classes))
      throw new ShapeError(
        `${name}: logits have shape [${logits.shape}], expected ${classes ?? 'some'} classes on the last axis`,
      );
    let table = tables.get(k);
    if (table?.gpu !== logits.gpu) {
      table = unscoped(() => tensor(entries(k, current), { shape: [4, k], gpu: logits.gpu }));
      tables.set(k, table);
    }
    return fused(logits, toLabels(name, labels, logits, rest), {
      perClass: table,
      sampleWeight,
      reduction: asked,
      ...rest,
    });
  };
  const setClassWeight = (next: ArrayLike<number> | null): void => {
    const value = next ?? weight;
    if (classes !== undefined) entries(classes, value);
    for (const [k, table] of tables) table.write(entries(k, value));
    current = value;
  };
  const dispose = (): void => {
    for (const table of tables.values()) table.dispose();
    tables.clear();
  };
  return named(name, loss, { reduction, setClassWeight, dispose });
}

/** What a call of a loss can be given beside logits and labels; groups and features are for losses that take them. */
const INPUTS = ['sampleWeight', 'reduction', 'groups', 'features'] as const;

/** A callable loss with its properties. */
export function named(
  name: string,
  call: (logits: Tensor, labels: Tensor<'i32'> | ArrayLike<number>, inputs?: LossInputs) => Tensor,
  rest: Pick<Loss, 'reduction' | 'setClassWeight' | 'dispose'>,
): Loss {
  const loss: typeof call = (logits, labels, inputs) => {
    expectOptions<LossInputs & { groups?: unknown; features?: unknown }>(name, inputs, INPUTS);
    return call(logits, labels, inputs);
  };
  return Object.defineProperty(Object.assign(loss, rest), 'name', { value: name }) as Loss;
}

/** `loss` of mapped logits, under a name that tells: weights, reduction and lifetime are those of the loss. */
export function onLogits(name: string, loss: Loss, map: (logits: Tensor) => Tensor): Loss {
  const { reduction, setClassWeight, dispose } = loss;
  return named(`${name}(${loss.name})`, (logits, labels, inputs) => loss(map(logits), labels, inputs), {
    reduction,
    setClassWeight,
    dispose,
  });
}
