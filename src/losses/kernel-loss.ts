import { any, check, checkOptions, integer, required } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { Index } from '../ops/gather.ts';
import { toLabels } from '../ops/labels.ts';
import { type Reduction } from '../ops/reduction.ts';
import { expectShape, type Tensor } from '../tensor/tensor.ts';
import { deviceTable, type DeviceTable } from './device-table.ts';
import type { Loss, LossInputs, LossOptions } from './loss.ts';
import { LOSS_RULES } from './loss-options.ts';

/** What computes a loss of a batch, weights and reduction included; see {@link defineKernelLoss}. */
export interface LossKernel {
  /**
   * The numbers of k classes that the kernel wants under class weights (default: 1), (k) or (rows, k) row by row.
   * Throws under `name` on weights that do not fit.
   */
  classTable(name: string, k: number, weight?: ArrayLike<number>): Float32Array;
  /**
   * The reduced loss of logits (..., classes) and labels (...). `classTable`: those numbers, put on the device when
   * first read.
   */
  run(logits: Tensor, labels: Tensor<'i32'>, given: LossKernelInputs): Tensor;
  /** Label that a host list may hold besides 0..classes-1. Default: -100. */
  readonly ignoreIndex?: number | undefined;
}

/** What a {@link LossKernel} is given with logits and labels. */
export interface LossKernelInputs {
  readonly classTable: Tensor;
  readonly sampleWeight: Tensor | undefined;
  readonly reduction: Reduction;
}

/** The definition of a loss by a {@link LossKernel}, for {@link defineKernelLoss}. */
export interface KernelLossDefinition extends LossOptions {
  /** Name of the loss; it opens every error. */
  name: string;
  kernel: LossKernel;
  /** The last axis holds so many logits for each class, one head after the other. Default: 1. */
  heads?: number | undefined;
  /** What is freed with the loss: tables, and losses inside this one. */
  owns?: readonly { dispose(): void }[] | undefined;
}

/** Rules of what a definition shares with every other. */
export const DEFINITION = { name: required(any), ...LOSS_RULES, heads: integer(1), owns: any } as const;

/**
 * A loss by one kernel that does the weights and the reduction too, such as `adjustedCrossEntropy`; `defineLoss` asks
 * for no more than the values of the rows. Shapes, labels, class weights that a captured step follows, and disposal are
 * handled here. Throws RangeError or ShapeError under `name`: on an unknown reduction and, where `numClasses` is given,
 * at once on class weights that do not fit it, are negative or not finite; else when the logits come.
 */
export function defineKernelLoss(definition: KernelLossDefinition): Loss {
  const { name, kernel, weight, reduction = 'weightedMean', numClasses, heads, owns = [] } = definition;
  expectName(name);
  checkOptions(name, definition, { ...DEFINITION, kernel: required(any) });
  // One table for each number of classes met: an earlier loss may still go backward through its own.
  const tables = new Map<number, DeviceTable>();
  let current = weight;
  if (numClasses !== undefined) kernel.classTable(name, numClasses, weight);
  const tableOf = (k: number): DeviceTable => {
    let table = tables.get(k);
    if (!table) {
      const data = kernel.classTable(name, k, current);
      tables.set(k, (table = deviceTable({ data, shape: data.length === k ? [k] : [data.length / k, k] })));
    }
    return table;
  };
  return lossOf(name, {
    reduction,
    call(logits, labels, { sampleWeight, reduction: asked = reduction } = {}) {
      check(name, { reduction: asked }, { reduction: LOSS_RULES.reduction });
      const k = expectClasses(name, logits, numClasses, heads);
      const target = toLabels(name, labels, logits, { classes: k, ignoreIndex: kernel.ignoreIndex });
      if (sampleWeight) expectShape(sampleWeight, target.shape, `${name}: sampleWeight`);
      return kernel.run(logits, target, {
        get classTable() {
          return tableOf(k).on(logits.gpu);
        },
        sampleWeight,
        reduction: asked,
      });
    },
    setClassWeight(next) {
      const value = next ?? weight;
      if (numClasses !== undefined) kernel.classTable(name, numClasses, value);
      for (const [k, table] of tables) table.write(kernel.classTable(name, k, value));
      current = value;
    },
    dispose() {
      for (const part of [...tables.values(), ...owns]) part.dispose();
    },
  });
}

/** Throws TypeError unless a loss has a name, which its errors open with. */
export function expectName(name: unknown): void {
  if (typeof name !== 'string') throw new TypeError(`defineLoss: name is ${String(name)}, expected a string`);
}

/** The number of classes of logits; throws ShapeError where it is not `classes`, or none. */
export function expectClasses(name: string, { shape }: Tensor, classes?: number, heads = 1): number {
  const k = (shape.at(-1) ?? 0) / heads;
  if (!(Number.isInteger(k) && k > 0) || (classes !== undefined && k !== classes))
    throw new ShapeError(
      `${name}: logits have shape [${shape}], expected ` +
        `${heads === 1 ? '' : `${heads} x `}${classes ?? 'some'} classes on the last axis`,
    );
  return k;
}

/** A call of a loss, with what losses for groups and features are given as well. */
export type LossCall = (
  logits: Tensor,
  labels: Tensor<'i32'> | ArrayLike<number>,
  inputs?: LossInputs & { groups?: Index; features?: Tensor },
) => Tensor;

/** A callable loss with its properties; the inputs of a call are checked. */
export function lossOf(
  name: string,
  { call, ...properties }: Pick<Loss, 'reduction' | 'setClassWeight' | 'dispose'> & { call: LossCall },
): Loss {
  const loss: LossCall = (logits, labels, inputs) => {
    expectOptions(name, inputs, ['sampleWeight', 'reduction', 'groups', 'features']);
    return call(logits, labels, inputs);
  };
  return Object.defineProperty(Object.assign(loss, properties), 'name', { value: name }) as Loss;
}
