import { any, boolean, checkOptions, required } from '../check/check.ts';
import { mul } from '../ops/binary.ts';
import { indexSelect } from '../ops/gather.ts';
import { holdLogits, weighRows } from '../ops/held-logits.ts';
import { meanOf } from '../ops/reduction.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import type { DType } from '../tensor/dtype.ts';
import { toHost, type HostInput } from '../tensor/host-values.ts';
import { unscoped } from '../tensor/scope.ts';
import { noGrad } from '../tensor/tape.ts';
import { expectShape, Tensor, tensor } from '../tensor/tensor.ts';
import { checkedWeights } from './loss-options.ts';
import { deviceTable, type DeviceTable } from './device-table.ts';
import {
  DEFINITION,
  defineKernelLoss,
  expectName,
  type KernelLossDefinition,
  type LossKernelInputs,
} from './kernel-loss.ts';
import type { Loss, LossFunction } from './loss.ts';

/** Constants of a loss, by name: numbers of the host, or a `deviceTable` that the loss rewrites. */
export type LossTables = Readonly<Record<string, HostInput | DeviceTable<DType>>>;

/** {@link LossTables} as tensors on the device of the logits. */
export type LossTensors<T> = { readonly [K in keyof T]: T[K] extends DeviceTable<infer D> ? Tensor<D> : Tensor };

/** The definition of a loss by its value for each sample, for {@link defineLoss}. */
export interface LossDefinition<T extends LossTables = LossTables> extends Omit<KernelLossDefinition, 'kernel'> {
  /**
   * Maps logits (rows, classes) and labels (rows) to the values, (rows). A label outside 0..classes-1 counts for
   * nothing, if the value is finite there. The logits are finite: a masked class, of logit -Infinity, comes as -1e37,
   * and a value that grows with it is an infinity in the end; a row with NaN or +Infinity is NaN; a row of weight 0
   * counts for nothing, whatever its logits. `weight`: the class weight of each row, (rows); `tables`: the constants.
   */
  values: (logits: Tensor, labels: Tensor<'i32'>, given: { weight: Tensor; tables: LossTensors<T> }) => Tensor;
  /** Constants that `values` works with, put on the device once and freed with the loss. */
  tables?: T;
  /** `values` applies the class weights itself. Default: false, they multiply the values. */
  weightInside?: boolean;
  /** `values` is one kernel that takes logits as they are, -Infinity and NaN too. Default: false. */
  fused?: boolean;
  /** The values are 0 or 1, also where logits are NaN. Default: false. */
  isIndicator?: boolean;
}

/**
 * A loss from its value for each sample; weights of classes and samples, reductions, dense logits (..., classes),
 * labels of the host or the device, constants on the device, and disposal are added here.
 *
 *     const poly1 = ({ eps = 1, ...options }: LossOptions & { eps?: number } = {}) =>
 *       defineLoss({
 *         name: 'poly1',
 *         values(z, labels) {
 *           const ce = crossEntropy(z, labels, { reduction: 'none' });
 *           return add(ce, mul(sub(1, exp(neg(ce))), eps));
 *         },
 *         ...options,
 *       });
 *
 * 'none' gives the values (...) times their weights; 'sum' adds them; 'mean' divides by the number of rows whose label
 * is a class, 'weightedMean' by the sum of their weights, and either is 0 over nothing. A host list of labels may hold
 * -100 for a row that counts for nothing, and no other number outside 0..classes-1. Errors as of
 * {@link defineKernelLoss}, which all of that goes through, and ShapeError on values of another shape.
 */
export function defineLoss<T extends LossTables = LossTables>(definition: LossDefinition<T>): Loss {
  const { name, values, tables = {} as T, weightInside, fused, isIndicator, owns = [], ...rest } = definition;
  expectName(name);
  checkOptions(name, definition, {
    ...DEFINITION,
    values: required(any),
    tables: any,
    weightInside: boolean,
    fused: boolean,
    isIndicator: boolean,
  });
  if (typeof values !== 'function')
    throw new TypeError(`${name}: values is ${String(values)}, expected a function of logits and labels`);
  const constants = Object.entries(tables).map(
    ([key, t]) => [key, isTable(t) ? t : deviceTable(toHost(`${name}: tables.${key}`, t))] as const,
  );
  return defineKernelLoss({
    name,
    kernel: {
      classTable: weightsOf,
      run(logits, labels, given) {
        const { ofRow, weight, weights } = rowWeights(labels, given, weightInside);
        const z = reshape(logits, [ofRow.size, logits.shape.at(-1)!]);
        const { held, kinds } = fused
          ? { held: z, kinds: undefined }
          : holdLogits(z, weightInside ? noGrad(() => mul(weights, weight)) : weights);
        const on = Object.fromEntries(constants.map(([key, t]) => [key, t.on(logits.gpu)])) as LossTensors<T>;
        const each = values(held, ofRow, { weight, tables: on });
        expectTensor(`${name}: the result of values`, each, ofRow.shape);
        return reduceRows(weighRows(each, weights, isIndicator ? undefined : kinds), labels, weights, given);
      },
    },
    owns: [...constants.map(([, t]) => t), ...owns],
    ...rest,
  });
}

function isTable(t: HostInput | DeviceTable<DType>): t is DeviceTable<DType> {
  return typeof t === 'object' && t !== null && 'on' in t;
}

function weightsOf(name: string, k: number, weight: ArrayLike<number> = new Float32Array(k).fill(1)): Float32Array {
  return checkedWeights(name, weight, k);
}

/** Of each row, (rows): its label, the class weight, and the product of what multiplies its value. */
function rowWeights(
  labels: Tensor<'i32'>,
  { classTable, sampleWeight }: LossKernelInputs,
  weightInside = false,
): { ofRow: Tensor<'i32'>; weight: Tensor; weights: Tensor } {
  const ofRow = reshape(labels, [labels.size]) as Tensor<'i32'>;
  const weight = indexSelect(classTable, ofRow);
  const outside = weightInside ? counted(ofRow, classTable) : weight;
  const weights = noGrad(() => (sampleWeight ? mul(outside, reshape(sampleWeight, ofRow.shape)) : outside));
  return { ofRow, weight, weights };
}

/** Weighted values (rows) in the shape of the labels, or as one. */
function reduceRows(
  values: Tensor,
  labels: Tensor<'i32'>,
  weights: Tensor,
  { classTable, reduction }: LossKernelInputs,
): Tensor {
  if (reduction === 'none') return reshape(values, labels.shape);
  const total = sum(values);
  if (reduction === 'sum') return total;
  return meanOf(
    total,
    noGrad(() => sum(reduction === 'weightedMean' ? weights : counted(labels, classTable))),
  );
}

/** 1 for each label that is a class, else 0, (rows). */
function counted(labels: Tensor<'i32'>, { gpu, size }: Tensor): Tensor {
  const ones = gpu.constant(`${size} ones`, () => unscoped(() => tensor(new Float32Array(size).fill(1), { gpu })));
  return indexSelect(ones, reshape(labels, [labels.size]));
}

function expectTensor(what: string, x: unknown, shape: readonly number[]): asserts x is Tensor {
  if (!(x instanceof Tensor)) throw new TypeError(`${what} is ${String(x)}, expected a tensor`);
  expectShape(x, shape, what);
}

/**
 * A plain function as a loss; a loss is returned as it is. The function gets logits and labels as they are. Where it
 * returns one value per sample, (...), weights and reductions are those of {@link defineLoss}, by 'weightedMean' unless
 * asked otherwise. A scalar is taken for the mean, which has no class or sample weights, no sum and no single values: a
 * call, or `setClassWeight`, that asks for one throws TypeError. `where` names the caller in the error on what is no
 * function.
 */
export function asLoss(loss: Loss | LossFunction, where = 'asLoss'): Loss {
  if (typeof loss !== 'function')
    throw new TypeError(
      `${where}: loss is ${String(loss)}, expected a loss, such as crossEntropyLoss(), or a function`,
    );
  if ('setClassWeight' in loss) return loss;
  const name = loss.name || 'loss';
  let isScalar = false;
  let isWeighted = false;
  const refuse = (what: string): never => {
    throw new TypeError(
      `${name}: the function returns a scalar, which has no ${what}; return one value a sample, or use defineLoss`,
    );
  };
  const lifted = defineKernelLoss({
    name,
    kernel: {
      classTable: weightsOf,
      run(logits, labels, given) {
        const each = loss(logits, labels);
        isScalar = each instanceof Tensor && each.rank === 0 && labels.rank > 0;
        if (isScalar) {
          if (isWeighted) refuse('class weights');
          if (given.sampleWeight) refuse('sample weights');
          if (given.reduction === 'none' || given.reduction === 'sum') refuse(`reduction '${given.reduction}'`);
          return each;
        }
        expectTensor(`${name}: the result of the function`, each, labels.shape);
        const { ofRow, weights } = rowWeights(labels, given);
        return reduceRows(weighRows(reshape(each, ofRow.shape), weights), labels, weights, given);
      },
    },
  });
  const { setClassWeight } = lifted;
  return Object.assign(lifted, {
    setClassWeight(next: ArrayLike<number> | null) {
      if (next && isScalar) refuse('class weights');
      isWeighted = next !== null;
      setClassWeight(next);
    },
  });
}
