import kernel from '../../shaders/conv2d.wgsl';
import { expectOptions } from '../check/options.ts';
import type { Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { shaped, tileVariant } from '../gpu/tiles.ts';
import { SMALL_TILE, type Choice, type Tile } from '../gpu/tuning/index.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, expectShape, type Tensor } from '../tensor/tensor.ts';
import { maskPositive } from './binary.ts';
import { halfOf } from './cast.ts';
import { tapsOf, THIN, tiledPlan, UNSPLIT, WIDEST, type Geometry } from './conv2d-tiled.ts';
import { joinableWeights } from '../tensor/combine-weights.ts';
import { expectPrecision, operandsOf, rounded, type Operand, type Precision } from './precision.ts';
import { sum } from './sum.ts';
import { reshape } from './reshape.ts';

/** One number for both axes, or [height, width]. */
export type Pair = number | readonly [number, number];

/** Geometry of a convolution. */
export interface Conv2dOptions {
  /** Step between windows. Default: 1. */
  stride?: Pair;
  /**
   * Zeros added on each side; 'same' adds as many as keep height and width (stride 1 only), the odd one below and to
   * the right. Default: 0.
   */
  padding?: Pair | 'same';
  /** Distance between taps. Default: 1. */
  dilation?: Pair;
  /** Channels and filters fall into this many groups that do not mix; as many as channels: depthwise. Default: 1. */
  groups?: number;
  /** Fused into the kernel. Default: 'none'. */
  activation?: 'none' | 'relu';
  /** 'mixed': operands are rounded to f16, those of the gradients too; sums stay f32. Default: 'f32'. */
  precision?: Precision | undefined;
}

/** Geometry of a convolution along one axis; as {@link Conv2dOptions}. */
export interface Conv1dOptions {
  /** Default: 1. */
  stride?: number;
  /** Default: 0. */
  padding?: number | 'same';
  /** Default: 1. */
  dilation?: number;
  /** Default: 1. */
  groups?: number;
  /** Default: 'none'. */
  activation?: 'none' | 'relu';
  /** Default: 'f32'. */
  precision?: Precision | undefined;
}

/** A pair of integers of at least `least`, or an error that names the option. */
export function pairOf(value: Pair, least: number, what: string): readonly [number, number] {
  const pair = typeof value === 'number' ? ([value, value] as const) : value;
  if (pair.length !== 2 || pair.some((v) => !Number.isInteger(v) || v < least))
    throw new ShapeError(`${what} is [${pair}], expected integers of at least ${least}`);
  return pair;
}

/**
 * y = activation(x * w + b) as PyTorch's conv2d: x (batch, channels, height, width), w (filters, channels / groups, kh,
 * kw), b (filters) or null; y (batch, filters, outH, outW) with outH = floor((height + 2 padding - dilation (kh - 1) -
 * 1) / stride) + 1.
 */
export function conv2d(x: Tensor, w: Tensor, b: Tensor | null = null, options: Conv2dOptions = {}): Tensor {
  expectOptions('conv2d', options, ['stride', 'padding', 'dilation', 'groups', 'activation', 'precision']);
  return checked('conv2d', x, w, b, options);
}

/**
 * {@link conv2d} along one axis: x (batch, channels, length), w (filters, channels / groups, taps), y (batch, filters,
 * outLength).
 */
export function conv1d(x: Tensor, w: Tensor, b: Tensor | null = null, options: Conv1dOptions = {}): Tensor {
  expectOptions('conv1d', options, ['stride', 'padding', 'dilation', 'groups', 'activation', 'precision']);
  const { stride = 1, padding = 0, dilation = 1, ...rest } = options;
  const [batch, channels, length] = expectRank(x, 3, 'conv1d: x') as [number, number, number];
  const [filters, each, taps] = expectRank(w, 3, 'conv1d: weight') as [number, number, number];
  const y = checked('conv1d', reshape(x, [batch, channels, 1, length]), reshape(w, [filters, each, 1, taps]), b, {
    stride: [1, stride],
    padding: padding === 'same' ? padding : [0, padding],
    dilation: [1, dilation],
    ...rest,
  });
  return reshape(y, [batch, filters, y.shape[3]!]);
}

function checked(
  op: string,
  x: Tensor,
  w: Tensor,
  b: Tensor | null,
  { stride = 1, padding = 0, dilation = 1, groups = 1, activation = 'none', precision = 'f32' }: Conv2dOptions,
): Tensor {
  expectPrecision(op, precision);
  const [batch, channels, height, width] = expectRank(x, 4, `${op}: x`) as [number, number, number, number];
  const [filters, each, kh, kw] = expectRank(w, 4, `${op}: weight`) as [number, number, number, number];
  expectGroups(op, groups, 'filters', filters);
  if (channels !== each * groups)
    throw new ShapeError(
      `${op}: x has shape [${x.shape}] with ${channels} channels, weight [${w.shape}] takes ${each * groups}`,
    );
  expectOperands(op, x, w, b, filters);
  const [strideH, strideW] = pairOf(stride, 1, `${op}: stride`);
  const [dilH, dilW] = pairOf(dilation, 1, `${op}: dilation`);
  if (padding === 'same' && strideH * strideW > 1)
    throw new ShapeError(`${op}: padding is same, which needs stride 1, got [${strideH},${strideW}]`);
  const same = [dilH * (kh - 1), dilW * (kw - 1)] as const;
  const [padH, padW] = padding === 'same' ? [same[0] >> 1, same[1] >> 1] : pairOf(padding, 0, `${op}: padding`);
  const [zerosH, zerosW] = padding === 'same' ? same : [2 * padH, 2 * padW];
  const outH = Math.floor((height + zerosH - dilH * (kh - 1) - 1) / strideH) + 1;
  const outW = Math.floor((width + zerosW - dilW * (kw - 1) - 1) / strideW) + 1;
  if (outH < 1 || outW < 1)
    throw new ShapeError(
      `${op}: x has shape [${x.shape}], too small for a ${kh} x ${kw} kernel with padding [${padH},${padW}] ` +
        `and dilation [${dilH},${dilW}]`,
    );
  return correlate(
    op,
    { batch, channels, height, width, filters, outH, outW, groups, kh, kw, strideH, strideW, padH, padW, dilH, dilW },
    x,
    w,
    b,
    activation === 'relu',
    precision,
  );
}

/** Throws unless `groups` divides a count. */
export function expectGroups(op: string, groups: number, what: string, count: number): void {
  if (!Number.isInteger(groups) || groups < 1)
    throw new ShapeError(`${op}: groups is ${groups}, expected a positive integer`);
  if (count % groups !== 0)
    throw new ShapeError(`${op}: groups is ${groups}, expected a divisor of the ${count} ${what}`);
}

/** Throws unless x, w and b are f32 and b has one element an output channel. */
export function expectOperands(op: string, x: Tensor, w: Tensor, b: Tensor | null, outputs: number): void {
  expectDType(x, 'f32', `${op}: x`);
  expectDType(w, 'f32', `${op}: weight`);
  if (!b) return;
  expectDType(b, 'f32', `${op}: bias`);
  expectShape(b, [outputs], `${op}: bias`);
}

/** Multiplications and additions of a convolution, and of either of its gradients, the padding counted in. */
function flopsOf(g: Geometry): number {
  return 2 * g.batch * g.outH * g.outW * g.filters * (g.channels / g.groups) * g.kh * g.kw;
}

// sum(dy * correlate(x, w)) is linear in each of x, w and dy. Its gradients are correlate (for dy), spread (for x) and
// weightGradient (for w), so the gradients of each of the three are the other two, to any order.

/** WGSL of element i of an operand of halves, two a word. */
const halfAt = (name: string): string => `return unpack2x16float(${name}[i >> 1u])[i & 1u];`;
/** How the kernels read operands that are halves. */
const HALVES = {
  Element: 'u32',
  xAt: halfAt('x'),
  wAt: halfAt('w'),
  dyAt: halfAt('dy'),
  lhsAt: halfAt('lhs'),
  rhsAt: halfAt('rhs'),
};

function reading({ dtype }: Operand): Partial<typeof HALVES> {
  return dtype === 'f16' ? HALVES : {};
}

/** y = act(x * w + b), recorded. */
export function correlate(
  op: string,
  g: Geometry,
  x: Tensor,
  w: Tensor,
  b: Tensor | null = null,
  relu = false,
  precision: Precision = 'f32',
): Tensor {
  const y = empty([g.batch, g.filters, g.outH, g.outW], { gpu: x.gpu });
  const inputs = b ? [x, w, b] : [x, w];
  const { left, right, free } = operandsOf(precision, [w, x], inputs);
  const how = { RELU: Number(relu), BIAS: Number(b !== null), ...reading(left) };
  const columns = g.batch * g.outH * g.outW;
  const t = tiledPlan(x.gpu, g, 'convolution', [g.filters, columns], how);
  if (t) {
    const buffers = { lhs: left, rhs: right, bias: b ?? w, mask: w, y };
    kernel[t.isThin ? 'forwardThin' : 'forwardTiled'](t.params, buffers, t.grid, t.variant, flopsOf(g), t.other);
  } else {
    const { params, grid, variant, quick } = plan(x.gpu, g, g.filters, columns, { ...how, PADDED: isPadded(g) });
    const buffers = { x: right, w: left, bias: b ?? w, mask: w, y };
    kernel.forward(params, buffers, grid, variant, flopsOf(g), quick);
  }
  free();
  return record(op, y, inputs, {
    isRelu: relu,
    gradient: (dy) => {
      const dz = relu ? maskPositive(dy, y) : dy;
      return [
        () => spread(`${op} (input gradient)`, g, dz, w, null, precision),
        () => weightGradient(g, dz, x, w, precision),
        ...(b ? [() => sum(rounded(dz, precision), { axes: [0, 2, 3] })] : []),
      ];
    },
    fused: (dy, into) => {
      const dz = relu && !into.isMasked ? maskPositive(dy, y) : dy;
      const d = precision === 'mixed' ? halfOf(dz) : dz;
      let [dx, dw, db]: (Tensor | null)[] = [null, null, null];
      if (into.wants(1) || (b && into.wants(2))) {
        dw = into.gradient(1);
        db = b && into.gradient(2);
        launchWeightGradient(g, d, right, dw, db);
      }
      if (into.wants(0)) dx = launchSpread(g, d, left, null, into.masks(0) ? x : null);
      if (d !== dz) d.dispose();
      if (dz !== dy) dz.dispose();
      return b ? [dx, dw, db] : [dx, dw];
    },
  });
}

/**
 * The transpose of {@link correlate} in x, plus a bias for each channel: dy (batch, filters, outH, outW) to (batch,
 * channels, height, width), recorded.
 */
export function spread(
  op: string,
  g: Geometry,
  dy: Tensor,
  w: Tensor,
  b: Tensor | null = null,
  precision: Precision = 'f32',
): Tensor {
  // The gradient rounds its operands itself.
  const { left, right, free } = operandsOf(precision, [dy, w], []);
  const dx = launchSpread(g, left, right, b, null);
  free();
  return record(op, dx, b ? [dy, w, b] : [dy, w], {
    gradient: (e) => [
      () => correlate(`${op} (input gradient)`, g, e, w, null, false, precision),
      () => weightGradient(g, dy, e, w, precision),
      ...(b ? [() => sum(e, { axes: [0, 2, 3] })] : []),
    ],
  });
}

/** {@link spread}, not on the tape; times the mask of a relu that gave `relu`, if given. */
function launchSpread(g: Geometry, dy: Operand, w: Operand, b: Tensor | null, relu: Tensor | null): Tensor {
  const dx = empty([g.batch, g.channels, g.height, g.width], { gpu: dy.gpu });
  const phases = g.strideH * g.strideW;
  const how = { BIAS: Number(b !== null), MASK: Number(relu !== null), ...reading(dy) };
  const columns = g.batch * Math.ceil(g.height / g.strideH) * Math.ceil(g.width / g.strideW);
  const t = tiledPlan(dy.gpu, g, 'input gradient', [g.channels, columns], how, phases);
  if (t) {
    const buffers = { lhs: w, rhs: dy, bias: b ?? w, mask: relu ?? w, y: dx };
    const entry = t.isThin ? 'backwardInputThin' : 'backwardInputTiled';
    kernel[entry](t.params, buffers, t.grid, t.variant, flopsOf(g), t.other);
  } else {
    const { params, grid, variant, quick } = plan(dy.gpu, g, g.channels, columns, how, phases);
    kernel.backwardInput(params, { w, bias: b ?? w, dy, mask: relu ?? w, y: dx }, grid, variant, flopsOf(g), quick);
  }
  return dx;
}

/** The gradient of sum(dy * correlate(x, w)) for w, recorded. */
function weightGradient(g: Geometry, dy: Tensor, x: Tensor, w: Tensor, precision: Precision): Tensor {
  const dw = empty(w.shape, { gpu: w.gpu });
  const { left, right, free } = operandsOf(precision, [dy, x], []);
  launchWeightGradient(g, left, right, dw, null);
  free();
  return record('conv2d (weight gradient)', dw, [dy, x], {
    gradient: (f) => [
      () => correlate('conv2d', g, x, f, null, false, precision),
      () => spread('conv2d (input gradient)', g, dy, f, null, precision),
    ],
  });
}

/** Writes the gradients of sum(dy * correlate(x, w, b)) for w into `dw` and, if given, for b into `db`. */
function launchWeightGradient(g: Geometry, dy: Operand, x: Operand, dw: Tensor, db: Tensor | null): void {
  const { gpu } = x;
  const terms = (g.channels / g.groups) * g.kh * g.kw;
  const columns = terms + Number(db !== null);
  const { chunk, chunks, span } = splitOf(g);
  const bias = { BIAS: Number(db !== null) };
  const how = { ...bias, ...reading(dy) };
  // The bias has no column of its own in a tile.
  const t = tiledPlan(gpu, g, 'weight gradient', [g.filters, Math.max(1, terms)], how, chunks);
  const parts = t ? chunks : Math.ceil(chunks / span);
  // A single part without a column for the bias is the gradient itself.
  const isWhole = parts === 1 && db === null;
  const partial = isWhole ? dw : empty([parts, g.filters, columns], { gpu });
  const split = { chunk, parts, span: t ? 1 : span };
  if (t && !t.isThin) {
    const buffers = { lhs: dy, rhs: x, y: partial };
    kernel.backwardWeightTiled({ ...t.params, ...split }, buffers, t.grid, t.variant, flopsOf(g), t.other);
  } else {
    const withEdges = { ...how, PADDED: isPadded(g) };
    const p = t
      ? plan(gpu, g, g.filters, columns, { ...withEdges, GROUP_Z: 64 }, parts, acrossParts(columns))
      : plan(gpu, g, g.filters, columns, withEdges, parts);
    kernel.backwardWeight(
      { ...p.params, ...split },
      { x, dy, mask: x, y: partial },
      p.grid,
      p.variant,
      flopsOf(g),
      p.quick,
    );
  }
  if (isWhole) return;
  const unused = db ? null : empty([1], { gpu });
  const sizes = { ...g, ...UNSPLIT, parts, span };
  const out = { y: dw, db: (db ?? unused)! };
  const joinable = joinableWeights({ partial, parts, span, rows: g.filters, columns, dw, db }, t ? 'byLanes' : 'plain');
  const size = g.filters * columns;
  if (t) kernel.combineWeightByLanes(sizes, { rhs: partial, ...out }, [size * 16], bias, undefined, joinable);
  else kernel.combineWeight(sizes, { x: partial, ...out }, [size], bias, undefined, joinable);
  partial.dispose();
  unused?.dispose();
}

/** The block of a thin gradient of weights: one invocation a part, so that neighbours have work however few columns. */
function acrossParts(columns: number): Choice {
  return { tile: { m: 4, n: 4 * Math.min(4, Math.ceil(columns / 4)), groupX: 1, groupY: 1 }, pays: null };
}

/**
 * How the sum of a gradient of weights over positions is split, by shape alone: `chunk` positions in order, `span` such
 * sums in order, and these in order. So many chunks that a GPU is busy, so many spans that a processor is.
 */
function splitOf(g: Geometry): { chunk: number; chunks: number; span: number } {
  const positions = g.batch * g.outH * g.outW;
  const rows = g.filters / g.groups;
  const across = Math.ceil(((g.channels / g.groups) * g.kh * g.kw + 1) / 16);
  const invocations = 16 * g.groups * across * (rows > THIN ? Math.ceil(rows / 16) : rows / 16);
  const wanted = Math.min(256, Math.ceil(65_536 / Math.max(1, invocations)));
  const chunk = Math.max(128, Math.ceil(positions / wanted / 16) * 16);
  const chunks = Math.max(1, Math.ceil(positions / chunk));
  const blocks = g.groups * Math.ceil(rows / 16) * across;
  const spans = Math.max(Math.ceil(24 / Math.max(1, blocks)), Math.ceil(chunks / 32));
  return { chunk, chunks, span: Math.ceil(chunks / spans) };
}

/**
 * Grid, variant and parameters of the products of all groups: (rows, columns) over all groups, each in `layers` slices.
 * `how`: the variant but for its blocks; `choice`: of the block, by default that of the tuning. Fewer than four rows
 * (depthwise filters) take a block as thin as they are; columns past the widest grid go on in further layers.
 */
function plan<V extends object>(
  gpu: Gpu,
  g: Geometry,
  rows: number,
  columns: number,
  how: V,
  layers = 1,
  choice?: Choice,
) {
  const m = rows / g.groups;
  const slices = layers * g.groups;
  const { tile, pays } = choice ?? gpu.tuning.tileFor(m, columns, slices, { quads: m >= 4, isTall: true });
  const launch = (chosen: Tile) => {
    const thin = m < 4 ? Math.max(1, m) : chosen.m;
    const blocks = Math.ceil(columns / chosen.n);
    const t = shaped(chosen, blocks, Math.ceil(m / thin));
    const folds = Math.max(1, Math.ceil(blocks / (WIDEST * t.groupX)));
    const fold = Math.ceil(blocks / folds / t.groupX) * t.groupX;
    return {
      fold,
      folds,
      grid: [Math.min(blocks, fold), Math.ceil(m / thin), slices * folds],
      variant: { ...how, ...tileVariant(t, thin) },
    };
  };
  const { fold, folds, grid, variant } = launch(tile);
  const small = launch(SMALL_TILE);
  return {
    grid,
    variant,
    params: { ...g, ...UNSPLIT, ...tapsOf(g.strideH, g.dilH, 'H'), ...tapsOf(g.strideW, g.dilW, 'W'), fold, folds },
    // One set of parameters serves both where neither folds: then `fold` is not used.
    quick:
      pays !== null && folds === 1 && small.folds === 1
        ? { variant: small.variant, grid: small.grid, flops: pays }
        : null,
  };
}

/** 1 when a window reaches beyond the image. */
function isPadded(g: Geometry): number {
  const beyond = (out: number, stride: number, pad: number, dilation: number, taps: number, size: number): boolean =>
    pad > 0 || (out - 1) * stride + dilation * (taps - 1) >= size;
  return Number(
    beyond(g.outH, g.strideH, g.padH, g.dilH, g.kh, g.height) ||
      beyond(g.outW, g.strideW, g.padW, g.dilW, g.kw, g.width),
  );
}
