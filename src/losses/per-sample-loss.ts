import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { mul } from '../ops/binary.ts';
import { indexSelect } from '../ops/gather.ts';
import { holdLogits, weighRows } from '../ops/held-logits.ts';
import { toLabels } from '../ops/labels.ts';
import { expectReduction, meanOf, REDUCTIONS, type Reduction } from '../ops/reduction.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { sizeOf } from '../tensor/shape.ts';
import { unscoped } from '../tensor/scope.ts';
import { noGrad } from '../tensor/tape.ts';
import { expectShape, tensor, type Tensor } from '../tensor/tensor.ts';
import { checkedWeights } from './class-weights.ts';
import { named, type Loss } from './loss.ts';
import { PER_SAMPLE } from './options.ts';

/** What every loss of one value a sample takes. */
export interface PerSampleOptions {
  /** Class weights, at least 0. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean', which divides by the sum of the weights of classes and samples. */
  reduction?: Reduction;
  /** Number of classes that the logits must have; unset: any. */
  classes?: number;
}

/**
 * A loss from its value for each sample. `values` maps logits (rows, classes) and labels (rows) to (rows); weights of
 * classes and samples, the reduction and dense logits (..., classes) are added here. A label outside 0..classes-1
 * counts for nothing, if `values` is finite there; a host list may hold -100 for that, and nothing else. A mean over no
 * rows, or over weights that are all 0, is 0. With `weightInside`, `values` gets the class weight of each row, (rows),
 * and does itself what they are for. With `heads` above 1 the last axis holds so many logits for each class, one head
 * after the other. `values` gets finite logits: a masked class, of logit -Infinity, comes as -1e37, and a value that
 * grows with it is an infinity in the end; a row with NaN or +Infinity is NaN; a row of weight 0 counts for nothing
 * whatever its logits, see `holdLogits`. `fused`: `values` is one kernel that sees to this itself. `isIndicator`:
 * values are 0 or 1, also where logits are NaN. Throws RangeError or ShapeError under `name` as the losses on
 * cross-entropy do.
 */
export function perSampleLoss(
  name: string,
  values: (logits: Tensor, labels: Tensor<'i32'>, weight: Tensor) => Tensor,
  given: PerSampleOptions & { weightInside?: boolean; heads?: number; fused?: boolean; isIndicator?: boolean } = {},
): Loss {
  expectOptions(name, given, [...PER_SAMPLE, 'weightInside', 'heads', 'fused', 'isIndicator']);
  const {
    weight,
    reduction = 'weightedMean',
    classes,
    weightInside = false,
    heads = 1,
    fused = false,
    isIndicator = false,
  } = given;
  expectReduction(name, reduction, REDUCTIONS);
  const tables = new Map<number, Tensor>();
  let current = weight;
  const entries = (k: number, list = current ?? new Float32Array(k).fill(1)): Float32Array<ArrayBuffer> =>
    checkedWeights(name, list, k);
  if (classes !== undefined) entries(classes);
  const call: Parameters<typeof named>[1] = (logits, labels, { sampleWeight, reduction: asked = reduction } = {}) => {
    expectReduction(name, asked, REDUCTIONS);
    const width = logits.shape.at(-1) ?? 0;
    const k = width / heads;
    const lead = logits.shape.slice(0, -1);
    const rows = sizeOf(lead);
    if (!(Number.isInteger(k) && k > 0) || (classes !== undefined && k !== classes)) {
      throw new ShapeError(
        `${name}: logits have shape [${logits.shape}], expected ` +
          `${heads === 1 ? '' : `${heads} x `}${classes ?? 'some'} classes on the last axis`,
      );
    }
    const flat = reshape(toLabels(name, labels, logits, { classes: k }), [rows]);
    if (sampleWeight) expectShape(sampleWeight, lead, `${name}: sampleWeight`);
    let table = tables.get(k);
    if (table?.gpu !== logits.gpu) {
      table = unscoped(() => tensor(entries(k), { gpu: logits.gpu }));
      tables.set(k, table);
    }
    const ofClass = indexSelect(table, flat);
    const outside = weightInside ? indexSelect(ones(k, logits), flat) : ofClass;
    const weights = noGrad(() => (sampleWeight ? mul(outside, reshape(sampleWeight, [rows])) : outside));
    const z = reshape(logits, [rows, width]);
    const { held, kinds } = fused
      ? { held: z, kinds: undefined }
      : holdLogits(z, weightInside ? noGrad(() => mul(weights, ofClass)) : weights);
    const weighted = weighRows(values(held, flat, ofClass), weights, isIndicator ? undefined : kinds);
    if (asked === 'none') return reshape(weighted, lead);
    const total = sum(weighted);
    if (asked === 'sum') return total;
    return meanOf(
      total,
      noGrad(() => sum(asked === 'weightedMean' ? weights : indexSelect(ones(k, logits), flat))),
    );
  };
  return named(name, call, {
    reduction,
    setClassWeight(next) {
      const value = next ?? weight;
      if (classes !== undefined) entries(classes, value);
      for (const [k, table] of tables) table.write(entries(k, value ?? new Float32Array(k).fill(1)));
      current = value;
    },
    dispose() {
      for (const table of tables.values()) table.dispose();
      tables.clear();
    },
  });
}

function ones(k: number, { gpu }: Tensor): Tensor {
  return gpu.constant(`${k} ones`, () => unscoped(() => tensor(new Float32Array(k).fill(1), { gpu })));
}
