import kernel from '../../shaders/matmul.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { inPieces, sizeClass, type Piece } from '../gpu/tiles.ts';
import { broadcastShapes, broadcastStrides, sameShape, sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, expectShape, type Tensor } from '../tensor/tensor.ts';
import { maskPositive } from './binary.ts';
import { mergedAxes } from './broadcast.ts';
import { halfOf } from './cast.ts';
import { expectPrecision, operandsOf, rounded, type Operand, type Precision } from './precision.ts';
import { reshape } from './reshape.ts';
import { sum, sumTo } from './sum.ts';

/** Layout of a product: which operand is stored transposed. */
export interface MatmulOptions {
  /** The last two axes of `a` are (k, m); says nothing of a vector. Default: false. */
  transposeA?: boolean;
  /** The last two axes of `b` are (n, k); says nothing of a vector. Default: false. */
  transposeB?: boolean;
  /** 'mixed': operands are rounded to f16, those of the gradients too; sums stay f32. Default: 'f32'. */
  precision?: Precision | undefined;
}

/**
 * y = a b over the last two axes, as torch.matmul. a: (..., m, k) or (..., k, m) if transposeA; b: (..., k, n) or
 * (..., n, k) if transposeB; y: (..., m, n). f32. Leading axes broadcast, without a copy of the repeated operand. A
 * vector is a row on the left and a column on the right, and its axis is not in y. The gradient sums over broadcast
 * axes. Throws ShapeError when the inner sizes differ or the leading axes do not broadcast.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  expectOptions('matmul', options, ['transposeA', 'transposeB', 'precision']);
  const { transposeA = false, transposeB = false, precision = 'f32' } = options;
  expectPrecision('matmul', precision);
  for (const [t, name] of [
    [a, 'a'],
    [b, 'b'],
  ] as const) {
    expectDType(t, 'f32', `matmul: ${name}`);
    if (t.rank === 0) throw new ShapeError(`matmul: ${name} is a scalar, expected at least one axis; use mul`);
  }
  const layout = { transposeA: transposeA && a.rank > 1, transposeB: transposeB && b.rank > 1 };
  // Shapes are checked before anything is launched.
  const plan = planOf(a.shape, b.shape, layout);
  const { left, right, free } = operandsOf(precision, [a, b], [a, b]);
  const y = multiply([a, b], [left, right], layout, plan);
  free();
  return y;
}

/** The product of two tensors, recorded. `read`: the same as the kernels read them. */
function multiply(
  [a, b]: readonly [Tensor, Tensor],
  [readA, readB]: readonly [Operand, Operand],
  layout: Layout,
  { shapeA, shapeB, shapeY, shape } = planOf(a.shape, b.shape, layout),
): Tensor {
  const y = product(readA, readB, { shapeA, shapeB, ...layout, shape });
  return record('matmul', y, [a, b], {
    gradient: (dy) => {
      // y = a b: da = dy b', db = a' dy; each of the four layouts is one product without a copy.
      const { transposeA, transposeB } = layout;
      const [p, q, d] = [viewed(a, shapeA), viewed(b, shapeB), viewed(dy, shapeY)];
      const readD = readA === a ? d : halfOf(d);
      const [readP, readQ] = readA === a ? [p, q] : [readA, readB];
      return [
        () => {
          const da = transposeA
            ? multiply([q, d], [readQ, readD], { transposeA: transposeB, transposeB: true })
            : multiply([d, q], [readD, readQ], { transposeA: false, transposeB: !transposeB });
          return viewed(sumTo(da, shapeA), a.shape);
        },
        () => {
          const db = transposeB
            ? multiply([d, p], [readD, readP], { transposeA: true, transposeB: transposeA })
            : multiply([p, d], [readP, readD], { transposeA: !transposeA, transposeB: false });
          return viewed(sumTo(db, shapeB), b.shape);
        },
      ];
    },
  });
}

/** y[i, j] = a[i] b[j] of two vectors, as torch.outer. */
export function outer(a: Tensor, b: Tensor): Tensor {
  const [n] = expectRank(a, 1, 'outer: a');
  expectRank(b, 1, 'outer: b');
  return matmul(reshape(a, [n!, 1]), reshape(b, [1, b.size]));
}

/** Sum of a[i] b[i] of two vectors of one size, as torch.dot; a scalar. */
export function dot(a: Tensor, b: Tensor): Tensor {
  const [n] = expectRank(a, 1, 'dot: a');
  expectShape(b, [n!], 'dot: b');
  return matmul(a, b);
}

function viewed(x: Tensor, shape: readonly number[]): Tensor {
  return sameShape(x.shape, shape) ? x : reshape(x, shape);
}

interface Layout {
  transposeA: boolean;
  transposeB: boolean;
}

/** Shapes of the operands and of y as matrices with leading axes, and the shape of y without the axes of vectors. */
function planOf(a: readonly number[], b: readonly number[], { transposeA, transposeB }: Layout) {
  const said = (shape: readonly number[], transposed: boolean): string =>
    `[${shape}]${transposed ? ' transposed' : ''}`;
  const [p, q] = [a.length === 1 ? [1, a[0]!] : a, b.length === 1 ? [b[0]!, 1] : b];
  const [m, k] = transposeA ? [p.at(-1)!, p.at(-2)!] : [p.at(-2)!, p.at(-1)!];
  const [n, kb] = transposeB ? [q.at(-2)!, q.at(-1)!] : [q.at(-1)!, q.at(-2)!];
  if (k !== kb)
    throw new ShapeError(
      `matmul: a has shape ${said(a, transposeA)}, b ${said(b, transposeB)}: the inner sizes ${k} and ${kb} differ`,
    );
  const [leadA, leadB] = [p.slice(0, -2), q.slice(0, -2)];
  const lead = broadcastShapes(leadA, leadB);
  if (!lead)
    throw new ShapeError(
      `matmul: a has shape [${a}], b [${b}]: the leading axes [${leadA}] and [${leadB}] do not broadcast`,
    );
  const shape = [...lead, ...(a.length > 1 ? [m] : []), ...(b.length > 1 ? [n] : [])];
  // Rows of all items against one matrix are one product, and the gradient of that matrix sums them as it goes.
  if (!transposeA && sizeOf(leadB) === 1) {
    const rows = sizeOf(leadA) * m;
    return { shapeA: [rows, k], shapeB: q.slice(-2), shapeY: [rows, n], shape };
  }
  return { shapeA: p, shapeB: q, shapeY: [...lead, m, n], shape };
}

/**
 * y = activation(x w' + b), x: (..., in), w: (out, in), b: (out) or null; y: (..., out). f32. One kernel forward;
 * backward one for dw and db together and one for dx, which also masks it when x is the output of a relu. `precision`
 * as in {@link matmul}; db then is a sum of what the product for dw reads. Throws ShapeError when the sizes do not fit.
 */
export function linear(
  x: Tensor,
  w: Tensor,
  b: Tensor | null = null,
  options: { activation?: 'none' | 'relu'; precision?: Precision | undefined } = {},
): Tensor {
  expectOptions('linear', options, ['activation', 'precision']);
  const { activation = 'none', precision = 'f32' } = options;
  expectPrecision('linear', precision);
  if (x.rank === 0) throw new ShapeError('linear: x is a scalar, expected at least one axis');
  const features = x.shape.at(-1)!;
  const [out, inFeatures] = expectRank(w, 2, 'linear: weight') as [number, number];
  if (features !== inFeatures)
    throw new ShapeError(
      `linear: x has shape [${x.shape}], weight [${w.shape}] takes ${inFeatures} features; give the layer ` +
        `${features} inputs`,
    );
  expectDType(x, 'f32', 'linear: x');
  expectDType(w, 'f32', 'linear: weight');
  if (b) {
    expectDType(b, 'f32', 'linear: bias');
    expectShape(b, [out], 'linear: bias');
  }
  if (activation === 'relu' && !b)
    throw new ShapeError('linear: activation relu is fused with the bias, got bias null; apply relu() after it');
  const rows = sizeOf(x.shape.slice(0, -1));
  const [shapeX, shapeY] = [
    [rows, features],
    [rows, out],
  ];
  const factors = { shapeA: shapeX, shapeB: w.shape, transposeB: true, shape: [...x.shape.slice(0, -1), out] };
  const inputs = b ? [x, w, b] : [x, w];
  const { left, right, free } = operandsOf(precision, [x, w], inputs);
  const last = b ? { kind: activation === 'relu' ? ('biasRelu' as const) : ('bias' as const), extra: b } : undefined;
  const y = product(left, right, factors, last);
  free();
  const isRelu = activation === 'relu';
  return record('linear', y, inputs, {
    isRelu,
    gradient: (dy) => {
      const dz = viewed(isRelu ? maskPositive(dy, y) : dy, shapeY);
      return [
        () => viewed(matmul(dz, w, { precision }), x.shape),
        () => matmul(dz, viewed(x, shapeX), { transposeA: true, precision }),
        ...(b ? [() => sum(rounded(dz, precision), { axes: 0 })] : []),
      ];
    },
    fused: (dy, into) => {
      const dz = isRelu && !into.isMasked ? masked(dy, y) : dy;
      const d = precision === 'mixed' ? halfOf(dz) : dz;
      let [dw, db, dx]: (Tensor | null)[] = [null, null, null];
      if (into.wants(1) || (b && into.wants(2))) {
        dw = into.gradient(1);
        if (b) db = into.gradient(2);
        product(d, left, { shapeA: shapeY, shapeB: shapeX, transposeA: true }, undefined, dw, db);
      }
      if (into.wants(0)) {
        const mask = into.masks(0) ? { kind: 'mask' as const, extra: x } : undefined;
        dx = product(d, right, { shapeA: shapeY, shapeB: w.shape, shape: x.shape }, mask);
      }
      if (d !== dz) d.dispose();
      if (dz !== dy) dz.dispose();
      return b ? [dx, dw, db] : [dx, dw];
    },
  });
}

/** dy * (y > 0), not on the tape. */
function masked(dy: Tensor, y: Tensor): Tensor {
  const dz = empty(dy.shape, { gpu: dy.gpu });
  kernel.combine(
    { ...SINGLE, m: 1, n: dy.size, k: 1, chunk: 1, span: 1, parts: 1 },
    { a: dy, extra: y, y: dz },
    [dy.size],
    {
      EPILOGUE: 3,
    },
  );
  return dz;
}

const NO_BATCH = { batch: 1, shape: [1, 1, 1, 1], batchA: [0, 0, 0, 0], batchB: [0, 0, 0, 0] };

/** Parameters of a kernel that takes a matrix as a whole. */
const SINGLE = { ...NO_BATCH, first: [0, 0, 0] };

const EPILOGUES = { bias: 1, biasRelu: 2, mask: 3 };

interface Epilogue {
  kind: keyof typeof EPILOGUES;
  extra: Tensor;
}

interface Factors extends Partial<Layout> {
  /** How `a` and `b` are seen: matrices with leading axes. */
  shapeA: readonly number[];
  shapeB: readonly number[];
  /** Shape of the result, where no target is given. */
  shape?: readonly number[];
}

/** Fewest terms of a part of a long sum, what chunks are a multiple of, most parts, and the tiles that need none. */
const [LEAST_CHUNK, STEP, MOST_PARTS, MANY_TILES] = [128, 32, 64, 128];

/**
 * How the kernels read an operand: f32 or halves, two a word; in fours where that `isVector`, so that no four straddles
 * two rows.
 */
function reading(name: 'A' | 'B', isHalf: boolean, isVector: boolean): Record<string, string | number> {
  const at = name.toLowerCase();
  const four = { [`Element${name}`]: isHalf ? 'vec2u' : 'vec4f', [`UNIT_${name}`]: 4 };
  if (!isHalf) {
    const own = { [`read${name}`]: `return ${at}[i];`, [`readOne${name}`]: `return ${at}[i >> 2u][i & 3u];` };
    return isVector ? { ...four, ...own } : {};
  }
  if (isVector)
    return {
      ...four,
      [`read${name}`]: `return vec4f(unpack2x16float(${at}[i].x), unpack2x16float(${at}[i].y));`,
      [`readOne${name}`]: `return unpack2x16float(${at}[i >> 2u][(i >> 1u) & 1u])[i & 1u];`,
    };
  return {
    [`Element${name}`]: 'u32',
    [`read${name}`]: `return vec4f(${[0, 1, 2, 3].map((k) => `readOne${name}(i + ${k}u)`).join(', ')});`,
    [`readOne${name}`]: `return unpack2x16float(${at}[i >> 1u])[i & 1u];`,
  };
}

/** One dispatch for all items of a batch. `epilogue` and `rowSum` are for a single matrix. */
function product(
  a: Operand,
  b: Operand,
  factors: Factors,
  epilogue?: Epilogue,
  target?: Tensor,
  rowSum: Tensor | null = null,
): Tensor {
  const { shapeA, shapeB, transposeA = false, transposeB = false, shape } = factors;
  const [m, k] = transposeA ? [shapeA.at(-1)!, shapeA.at(-2)!] : [shapeA.at(-2)!, shapeA.at(-1)!];
  const n = transposeB ? shapeB.at(-2)! : shapeB.at(-1)!;
  const gpu = a.gpu;
  const batch = batchOf(shapeA.slice(0, -2), shapeB.slice(0, -2), m * k, k * n);
  const y = target ?? empty(shape!, { gpu });
  const chunk = rowSum ? Math.max(1, k) : chunkFor(m, n, k, batch.batch);
  const parts = Math.max(1, Math.ceil(k / chunk));
  // Enough blocks keep a processor busy without a layer for each part.
  const isBusy = Math.ceil(m / 4) * Math.ceil(n / 4) * batch.batch >= gpu.tuning.wanted.product;
  const vector = { a: (transposeA ? m : k) % 4 === 0, b: (transposeB ? k : n) % 4 === 0, y: n % 4 === 0 };
  // Loads of single elements are four times the code.
  const traits = { transposeA, transposeB, isLong: !vector.a || !vector.b };
  const choices = gpu.tuning.tilesFor(m, n, batch.batch * (isBusy ? 1 : parts), traits);
  const inParts = parts > 1 && isBusy && !choices[0]!.tile.depth;
  const layers = batch.batch * (inParts ? 1 : parts);
  const isHalf = a.dtype === 'f16';
  const layout = {
    A_T: Number(transposeA),
    B_T: Number(transposeB),
    ...(batch.batch > 1 ? { BATCHED: 1 } : {}),
    ...reading('A', isHalf, false),
    ...reading('B', isHalf, false),
  };
  const variant = {
    ...layout,
    RAGGED_K: Number(k % 4 !== 0),
    ...reading('A', isHalf, vector.a),
    ...reading('B', isHalf, vector.b),
    ...(vector.y ? { ElementY: 'vec4f', writeY: 'y[i >> 2u] = v;' } : {}),
  };
  const last = epilogue ? { EPILOGUE: EPILOGUES[epilogue.kind] } : {};
  const extra = epilogue?.extra ?? a;
  const params = { m, n, k, chunk, span: inParts ? k : chunk, parts, ...batch };
  // The quick kernels read elements one by one, whatever the shapes: one shader for all of a layout.
  const pieces = (own: object, launch: (piece: Piece<typeof variant>) => void): void =>
    inPieces(
      choices,
      [m, n, layers],
      2 * batch.batch * m * n * k,
      { ...variant, ...own },
      ({ other, ...piece }) =>
        launch({
          ...piece,
          other:
            other && 'flops' in other
              ? { ...other, entry: rowSum ? 'quickWithRowSum' : 'quick', variant: { ...layout, ...own } }
              : other,
        }),
      {
        kind: `${rowSum ? 'product with row sums' : 'product'} ${kindOf({ ...traits, isHalf })} k${sizeClass(k)}`,
        always: rowSum !== null,
      },
    );
  // The row sums are wanted even when y has no columns.
  if (rowSum)
    pieces(choices[0]!.tile.depth ? { ROW_SUM: 1 } : {}, ({ isTiled, grid, first, variant, flops, other }) => {
      const buffers = { a, b, extra, y, rowSum };
      const entry = isTiled ? 'tiledWithRowSum' : 'forwardWithRowSum';
      kernel[entry]({ ...params, first }, buffers, grid, variant, flops, other);
    });
  else if (layers === batch.batch)
    pieces({ ...last, ...(inParts ? { IN_PARTS: 1 } : {}) }, ({ isTiled, grid, first, variant, flops, other }) =>
      kernel[isTiled ? 'tiled' : 'forward']({ ...params, first }, { a, b, extra, y }, grid, variant, flops, other),
    );
  else {
    const partial = empty([parts, batch.batch, m, n], { gpu });
    pieces({}, ({ isTiled, grid, first, variant, flops, other }) =>
      kernel[isTiled ? 'tiled' : 'forward'](
        { ...params, first },
        { a, b, extra: a, y: partial },
        grid,
        variant,
        flops,
        other,
      ),
    );
    kernel.combine(
      { ...SINGLE, m, n, k, chunk, span: chunk, parts, batch: batch.batch },
      { a: partial, extra, y },
      [batch.batch * m * n],
      last,
    );
    partial.dispose();
  }
  return y;
}

/** The layout of a product and the manner of its loads, in a word: 'NT', 'TN ragged', 'NN f16'. */
function kindOf({
  transposeA,
  transposeB,
  isLong,
  isHalf,
}: {
  transposeA: boolean;
  transposeB: boolean;
  isLong: boolean;
  isHalf: boolean;
}): string {
  return `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}${isLong ? ' ragged' : ''}${isHalf ? ' f16' : ''}`;
}

/** How many products there are, and where the operands of each begin, from leading axes that broadcast. */
function batchOf(leadA: readonly number[], leadB: readonly number[], sizeA: number, sizeB: number): typeof NO_BATCH {
  const lead = broadcastShapes(leadA, leadB)!;
  const batch = sizeOf(lead);
  if (batch === 1) return NO_BATCH;
  const axes = mergedAxes(lead, [broadcastStrides(leadA, lead), broadcastStrides(leadB, lead)]);
  if (axes.length > 4) {
    throw new ShapeError(
      `matmul: broadcasting the leading axes [${leadA}] with [${leadB}] needs ${axes.length} separate axes, ` +
        'at most 4 are supported; reshape or expand first',
    );
  }
  const four = [...axes, ...new Array<number[]>(4 - axes.length).fill([1, 0, 0])];
  return {
    ...NO_BATCH,
    batch,
    shape: four.map((a) => a[0]!),
    batchA: four.map((a) => a[1]! * sizeA),
    batchB: four.map((a) => a[2]! * sizeB),
  };
}

/**
 * Terms of a part of the sums of a product: few outputs with many terms each are sums of parts, enough to keep a GPU
 * busy. It depends on the shape alone, as the bits do.
 */
function chunkFor(m: number, n: number, k: number, batch: number): number {
  const tiles = Math.ceil(m / 32) * Math.ceil(n / 32) * batch;
  if (tiles === 0 || k < 4 * LEAST_CHUNK) return Math.max(1, k);
  const parts = Math.min(MOST_PARTS, Math.floor(k / LEAST_CHUNK), Math.ceil(MANY_TILES / tiles));
  return parts === 1 ? k : Math.ceil(k / parts / STEP) * STEP;
}
