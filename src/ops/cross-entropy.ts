import kernel from '../../shaders/cross-entropy.wgsl';
import { expectOptions } from '../check/options.ts';
import type { Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { lanesFor, lanesInPieces, singles } from '../gpu/lanes.ts';
import { ambient, within } from '../tensor/ambient.ts';
import { unscoped } from '../tensor/scope.ts';
import { sizeOf } from '../tensor/shape.ts';
import { noGrad, pullback, record } from '../tensor/tape.ts';
import { empty, expectDType, expectShape, tensor, type Tensor, viewOf } from '../tensor/tensor.ts';
import { add, mul, sub } from './binary.ts';
import { indexSelect } from './gather.ts';
import { holdLogits, weighRows } from './held-logits.ts';
import { IGNORED, toLabels } from './labels.ts';
import { oneHot } from './one-hot.ts';
import { expectReduction, meanOf, REDUCTIONS, type Reduction } from './reduction.ts';
import { reshape } from './reshape.ts';
import { logSoftmax } from './softmax.ts';
import { sum } from './sum.ts';

/** Per-class and per-sample adjustments; see {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** (4, classes): rows scale, shift, margin, weight, from {@link classTable}. Default: 1, 0, 0, 1. */
  classTable?: Tensor;
  /** Factor of all adjusted logits. Default: 1. */
  scale?: number;
  /** (rows): factor of each sample's value, a constant for the gradient. */
  sampleWeight?: Tensor;
  /** Default: 'mean'. */
  reduction?: Reduction;
  /** Mass spread evenly over the classes, 0 <= labelSmoothing < 1. Default: 0. */
  labelSmoothing?: number;
  /** Rows with this label count for nothing. Default: -100. */
  ignoreIndex?: number;
}

/** Adjustments of each class; every list has one entry a class. */
export interface ClassAdjustments {
  /** Factor of the logit. Default: 1. */
  classScale?: ArrayLike<number>;
  /** Added to the logit. Default: 0. */
  shift?: ArrayLike<number>;
  /** Taken from the logit of the label. Default: 0. */
  margin?: ArrayLike<number>;
  /** Weight of samples of the class. Default: 1. */
  weight?: ArrayLike<number>;
}

/**
 * The values of a (4, classes) table for {@link crossEntropy}. Throws, under the name `op`, when a list has another
 * length or is not finite, or a weight is negative.
 */
export function classTable(
  classes: number,
  adjustments: ClassAdjustments,
  op = 'crossEntropy',
): Float32Array<ArrayBuffer> {
  const table = new Float32Array(4 * classes);
  (['classScale', 'shift', 'margin', 'weight'] as const).forEach((name, row) => {
    const list = adjustments[name];
    if (list && list.length !== classes)
      throw new ShapeError(`${op}: ${name} has ${list.length} entries, the logits have ${classes} classes`);
    for (let c = 0; c < classes; c++) {
      const value = list ? list[c]! : name === 'classScale' || name === 'weight' ? 1 : 0;
      const least = name === 'weight' ? 0 : -Infinity;
      if (!(Number.isFinite(value) && value >= least))
        throw new RangeError(`${op}: ${name}[${c}] is ${value}, expected a finite number${least === 0 ? ' >= 0' : ''}`);
      table[row * classes + c] = value;
    }
  });
  return table;
}

const CODES = { none: 0, mean: 1, sum: 2, weightedMean: 3 };
/** Rows that one workgroup adds up; more are summed in parts first. */
const SERIAL = 4096;

function invalidLabels(gpu: Gpu): Tensor<'u32'> {
  return gpu.constant('invalid labels', () => unscoped(() => tensor([0], { dtype: 'u32', gpu })));
}

/**
 * What `run` records counts its labels outside the classes in `own`, (1), and nowhere else. `run` is synchronous: no
 * other call sees it.
 */
export function countingInvalidLabels<T>(own: Tensor<'u32'>, run: () => T): T {
  return within('invalidLabels', own, run);
}

/**
 * Counts labels outside 0..classes-1 that `crossEntropy` met on the device since the last call, and resets the count.
 * Those of a run of `fit` are that run's own.
 */
export async function takeInvalidLabels(gpu: Gpu): Promise<number> {
  const bad = invalidLabels(gpu);
  const reading = bad.read();
  // Right behind the read: labels met while it is awaited count for the next call.
  bad.write([0]);
  return (await reading)[0]!;
}

/**
 * Cross-entropy of adjusted logits, one kernel forward and one backward. With a_c = s (scale_c z_c + shift_c - margin_c
 * [c = y]) a row's value is weight_y * sampleWeight * (logsumexp(a) - a_y), smoothed as PyTorch's cross_entropy does.
 * This one op serves CE, weighted CE, LDAM (margin), logit adjustment and balanced softmax (shift), CDT and VS (scale,
 * shift).
 *
 * logits: (..., classes) f32; labels: (...) i32, a tensor or host integers (then checked here). On the device a label
 * outside 0..classes-1 contributes nothing and is counted, see {@link takeInvalidLabels}. A mean over no rows, or over
 * weights that are all 0, is 0.
 * Returns a scalar, or (...) with reduction 'none'. Gradients of gradients go through a composed form.
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor<'i32'> | ArrayLike<number>,
  options: CrossEntropyOptions = {},
): Tensor {
  expectOptions('crossEntropy', options, [
    'classTable',
    'scale',
    'sampleWeight',
    'reduction',
    'labelSmoothing',
    'ignoreIndex',
  ]);
  const { scale = 1, sampleWeight, reduction = 'mean', labelSmoothing = 0, ignoreIndex = IGNORED } = options;
  expectDType(logits, 'f32', 'crossEntropy: logits');
  if (logits.rank < 1 || logits.shape.at(-1) === 0)
    throw new ShapeError(`crossEntropy: logits have shape [${logits.shape}], expected (..., classes)`);
  expectReduction('crossEntropy', reduction, REDUCTIONS);
  if (!(labelSmoothing >= 0 && labelSmoothing < 1))
    throw new RangeError(`crossEntropy: labelSmoothing is ${labelSmoothing}, expected 0 <= labelSmoothing < 1`);
  const gpu = logits.gpu;
  const classes = logits.shape.at(-1)!;
  const lead = logits.shape.slice(0, -1);
  const rows = sizeOf(lead);
  const target = toLabels('crossEntropy', labels, logits, { ignoreIndex });
  if (sampleWeight) {
    expectDType(sampleWeight, 'f32', 'crossEntropy: sampleWeight');
    expectShape(sampleWeight, lead, 'crossEntropy: sampleWeight');
  }
  const classTable = options.classTable ?? plainTable(classes, gpu);
  expectShape(classTable, [4, classes], 'crossEntropy: classTable');

  const lanes = lanesInPieces(gpu, rows, classes);
  const { pieces, chunk } = lanes;
  const params = { rows, classes, ignore: ignoreIndex, s: scale, smoothing: labelSmoothing, pieces, chunk };
  const variant = { SAMPLE_WEIGHT: Number(sampleWeight !== undefined), REDUCTION: CODES[reduction] };
  const weights = sampleWeight ?? classTable;
  const inputs = { z: logits, labels: target, classTable };
  /** What a GPU finds of the pieces of rows that are cut: the largest logit and the sums. */
  const ofPieces = (): Tensor | null => {
    if (!lanes.isApart) return null;
    const tops = empty([pieces, rows], { gpu });
    const sums = empty([pieces, rows, 5], { gpu });
    kernel.tops(params, { ...inputs, values: tops }, lanes.grid, lanes.variant);
    kernel.sums(params, { ...inputs, given: tops, values: sums }, lanes.grid, lanes.variant);
    tops.dispose();
    return sums;
  };
  const values = empty([3, rows], { gpu });
  const given = ofPieces();
  const of = given ? singles(gpu, rows) : lanes;
  kernel.forward(
    params,
    {
      ...inputs,
      sampleWeight: weights,
      given: given ?? classTable,
      values,
      bad: ambient.invalidLabels ?? invalidLabels(gpu),
    },
    of.grid,
    { ...variant, ...of.variant, GIVEN: Number(given !== null) },
  );
  given?.dispose();

  let y: Tensor;
  if (reduction === 'none') y = reshape(firstRow(values, rows), lead);
  else {
    const parts = rows > SERIAL ? partialSums(values, rows) : values;
    const pair = empty([2], { gpu });
    const length = parts.shape[1]!;
    const over = lanesFor(gpu, 1, length);
    kernel.reduce({ ...params, rows: length }, { z: parts, classTable, loss: pair }, over.grid, {
      ...variant,
      ...over.variant,
    });
    y = viewOf(pair, []);
    pair.dispose();
    if (parts !== values) parts.dispose();
  }
  values.dispose();
  return record('crossEntropy', y, [logits], {
    gradient: (dy) =>
      pullback(composedCrossEntropy(logits, target, classTable, options, reduction, dy), [logits], dy, {
        createGraph: true,
      }),
    fused: (dy, into) => {
      const dz = into.gradient(0);
      const total = reduction === 'none' ? classTable : viewOf(y, [2]);
      const given = ofPieces();
      kernel.backward(
        params,
        { ...inputs, sampleWeight: weights, dLoss: dy, total, given: given ?? classTable, values: dz },
        lanes.grid,
        { ...variant, ...lanes.variant, GIVEN: Number(given !== null) },
      );
      given?.dispose();
      if (total !== classTable) total.dispose();
      return [dz];
    },
  });
}

/**
 * The value of `crossEntropy` by ops that can be differentiated any number of times; what its gradient is recorded with
 * when gradients of gradients are wanted. Ignored labels and those outside the classes have rows of zeros; a row whose
 * `dy` is 0 counts for nothing.
 */
function composedCrossEntropy(
  logits: Tensor,
  labels: Tensor<'i32'>,
  classTable: Tensor,
  { scale: s = 1, sampleWeight, labelSmoothing = 0, ignoreIndex = -100 }: CrossEntropyOptions,
  reduction: Reduction,
  dy: Tensor,
): Tensor {
  const classes = logits.shape.at(-1)!;
  const rows = sizeOf(labels.shape);
  const { hot, scale, shift, margin, weight, counts, valid, rowWeight } = noGrad(() => {
    const row = (i: number): Tensor => indexSelect(classTable, [i]);
    const all = reshape(oneHot(labels, classes), [rows, classes]);
    const hot = ignoreIndex >= 0 && ignoreIndex < classes ? mul(all, sub(1, oneHot([ignoreIndex], classes))) : all;
    const weight = row(3);
    const counts = sum(hot, { axes: 1 });
    const sample = sampleWeight && reshape(sampleWeight, [rows]);
    const ofLabel = sum(mul(hot, weight), { axes: 1 });
    return {
      hot,
      scale: row(0),
      shift: row(1),
      margin: row(2),
      weight,
      counts,
      valid: sample ? mul(counts, sample) : counts,
      rowWeight: sample ? mul(ofLabel, sample) : ofLabel,
    };
  });
  const own = noGrad(() =>
    mul(labelSmoothing === 0 ? rowWeight : valid, reduction === 'none' ? reshape(dy, [rows]) : 1),
  );
  const { held, kinds } = holdLogits(reshape(logits, [rows, classes]), own);
  const a = mul(sub(add(mul(scale, held), shift), mul(hot, margin)), s);
  const logs = logSoftmax(a);
  const hard = mul(sum(mul(mul(hot, weight), logs), { axes: 1 }), labelSmoothing - 1);
  const soft = mul(sum(mul(weight, logs), { axes: 1 }), -labelSmoothing / classes);
  const values = weighRows(add(hard, soft), valid, kinds);
  if (reduction === 'none') return reshape(values, labels.shape);
  const total = sum(values);
  if (reduction === 'sum') return total;
  return meanOf(
    total,
    noGrad(() => sum(reduction === 'weightedMean' ? rowWeight : counts)),
  );
}

function plainTable(classes: number, gpu: Gpu): Tensor {
  return gpu.constant(`plain ${classes} classes`, () =>
    unscoped(() => tensor(classTable(classes, {}), { shape: [4, classes], gpu })),
  );
}

function firstRow(values: Tensor, rows: number): Tensor {
  return viewOf(values, [rows]);
}

/** (3, rows) to (3, parts): each part summed, the rest padded by nothing because the last part is shorter. */
function partialSums(values: Tensor, rows: number): Tensor {
  const length = 256;
  const whole = Math.floor(rows / length);
  // A ragged tail: one sum for each of the three.
  using all = viewOf(values, whole * length === rows ? [3, whole, length] : [3, 1, rows]);
  return sum(all, { axes: 2 });
}
