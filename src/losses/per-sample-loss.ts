import { ShapeError } from '../gpu/errors.ts';
import { div, mul } from '../ops/binary.ts';
import type { Reduction } from '../ops/cross-entropy.ts';
import { indexSelect } from '../ops/gather.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { sizeOf } from '../tensor/shape.ts';
import { unscoped } from '../tensor/scope.ts';
import { noGrad } from '../tensor/tape.ts';
import { tensor, Tensor } from '../tensor/tensor.ts';
import { named, type Loss } from './loss.ts';

/** What every loss of one value a sample takes. */
export interface PerSampleOptions {
  /** Class weights. Default: 1. */
  weight?: ArrayLike<number>;
  /** Default: 'weightedMean', which divides by the sum of the weights of classes and samples. */
  reduction?: Reduction;
  /** Number of classes that the logits must have; unset: any. */
  classes?: number;
}

/**
 * A loss from its value for each sample. `values` maps logits (rows, classes) and labels (rows) to (rows); weights of classes
 * and samples, the reduction and dense logits (..., classes) are added here. A label outside 0..classes-1 counts for
 * nothing, if `values` is finite there. With `heads` above 1 the last axis holds so many logits for each class, one head after the other.
 */
export function perSampleLoss(
  name: string,
  values: (logits: Tensor, labels: Tensor<'i32'>) => Tensor,
  { weight, reduction = 'weightedMean', classes }: PerSampleOptions = {},
  heads = 1,
): Loss {
  const tables = new Map<number, Tensor>();
  let current = weight;
  const entries = (k: number): Float32Array => {
    const list = current ?? new Float32Array(k).fill(1);
    if (list.length !== k) throw new ShapeError(`${name}: weight has ${list.length} entries, the logits have ${k} classes`);
    for (let c = 0; c < k; c++) if (!Number.isFinite(list[c])) throw new RangeError(`${name}: weight[${c}] is ${list[c]}, expected a finite number`);
    return Float32Array.from(list);
  };
  const call: Parameters<typeof named>[1] = (logits, labels, { sampleWeight, reduction: asked = reduction } = {}) => {
    const width = logits.shape.at(-1) ?? 0;
    const k = width / heads;
    const lead = logits.shape.slice(0, -1);
    const rows = sizeOf(lead);
    if (!(Number.isInteger(k) && k > 0) || (classes !== undefined && k !== classes)) {
      throw new ShapeError(`${name}: logits have shape [${logits.shape}], expected (..., ${heads === 1 ? '' : `${heads} x `}${classes ?? 'classes'})`);
    }
    const target = labels instanceof Tensor ? labels : hostLabels(name, labels, k, lead, logits);
    if (target.size !== rows) throw new ShapeError(`${name}: labels have shape [${target.shape}], expected [${lead}]`);
    if (sampleWeight && sampleWeight.size !== rows) throw new ShapeError(`${name}: sampleWeight has shape [${sampleWeight.shape}], expected [${lead}]`);
    let table = tables.get(k);
    if (table?.gpu !== logits.gpu) {
      table = unscoped(() => tensor(entries(k), { gpu: logits.gpu }));
      tables.set(k, table);
    }
    const flat = reshape(target, [rows]);
    const weights = noGrad(() => {
      const ofClass = indexSelect(table, flat);
      return sampleWeight ? mul(ofClass, reshape(sampleWeight, [rows])) : ofClass;
    });
    const weighted = mul(values(reshape(logits, [rows, width]), flat), weights);
    if (asked === 'none') return reshape(weighted, lead);
    const total = sum(weighted);
    if (asked === 'sum') return total;
    const divisor = noGrad(() => sum(asked === 'weightedMean' ? weights : indexSelect(ones(k, logits), flat)));
    return div(total, divisor);
  };
  return named(name, call, {
    reduction,
    setClassWeight(next) {
      current = next ?? weight;
      for (const [k, table] of tables) table.write(entries(k));
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

function hostLabels(name: string, labels: ArrayLike<number>, classes: number, shape: readonly number[], { gpu }: Tensor): Tensor<'i32'> {
  if (labels.length !== sizeOf(shape)) throw new ShapeError(`${name}: got ${labels.length} labels for logits of shape [${[...shape, classes]}]`);
  for (let i = 0; i < labels.length; i++) {
    if (!(Number.isInteger(labels[i]) && labels[i]! >= 0 && labels[i]! < classes)) throw new RangeError(`${name}: labels[${i}] is ${labels[i]}, expected an integer in 0..${classes - 1}`);
  }
  return tensor(labels, { shape, dtype: 'i32', gpu });
}
