import kernel from '../../shaders/lp-distance.wgsl';
import { expectOptions } from '../check/options.ts';
import type { Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { inPieces, type Piece } from '../gpu/tiles.ts';
import { SMALL_TILE, type Choice } from '../gpu/tuning/index.ts';
import { wildIn } from '../tensor/anomaly.ts';
import { sizeOf } from '../tensor/shape.ts';
import { isRecorded, record } from '../tensor/tape.ts';
import { clear, empty, expectDType, expectRank, expectShape, Tensor } from '../tensor/tensor.ts';
import { add, maximum, mul } from './binary.ts';
import { greater } from './compare.ts';
import { permute } from './permute.ts';
import { reshape } from './reshape.ts';
import { unfold, type UnfoldOptions } from './unfold.ts';
import { where } from './where.ts';

/** Which norm. */
export interface LpDistanceOptions {
  /** At least 1, or a scalar on the device that a captured step may change. Default: Infinity. */
  p?: number | Tensor;
}

/**
 * y[..., o] = ||x - w[o]||_p (+ b[o]): the layer of l_p- and l_infinity-distance nets. x: (..., in), w: (out, in),
 * b: (out) or null; y: (..., out). f32.
 * Zhang, Cai, Lu, He and Wang, Towards Certifying l_inf Robustness using Neural Networks with l_inf-dist Neurons, ICML
 * 2021; names and rules of the authors' second code (NormDist). Powers of two need no pow; above p = 10 terms are
 * divided by the largest. Unlike there a distance below about 1e-38^(1/p) is 0, not a floor.
 * Gradient: (|t| / y)^(p-1) sign(t), t = x - w, and 0 where y = 0. At p = infinity it goes to the largest |t|, the
 * lowest index of equals, with sign + at t = 0. It can be differentiated once. A distance is NaN where one of its
 * terms is. Throws ShapeError when sizes do not fit, RangeError unless p >= 1.
 */
export function lpDistance(x: Tensor, w: Tensor, b: Tensor | null = null, options: LpDistanceOptions = {}): Tensor {
  expectOptions('lpDistance', options, ['p']);
  const { p = Infinity } = options;
  expectDType(x, 'f32', 'lpDistance: x');
  expectDType(w, 'f32', 'lpDistance: weight');
  const [out] = expectRank(w, 2, 'lpDistance: weight') as [number, number];
  expectFeatures('lpDistance: x', x, w);
  if (b) {
    expectDType(b, 'f32', 'lpDistance: bias');
    expectShape(b, [out], 'lpDistance: bias');
  }
  if (p instanceof Tensor) {
    expectDType(p, 'f32', 'lpDistance: p');
    if (p.size !== 1) throw new ShapeError(`lpDistance: p has shape [${p.shape}], expected one element`);
  } else if (!(p >= 1)) throw new RangeError(`lpDistance: p is ${p}, expected a number from 1 to Infinity`);
  const distance = p === Infinity ? largest(x, w, DISTANCE, !x.gpu.tuning.maximaAsIntegers) : powered(x, w, p);
  return b ? add(distance, b) : distance;
}

/**
 * {@link lpDistance} of every patch of an image to every filter: the convolution form, NormDistConv in the authors'
 * code. x: (batch, channels, height, width), w: (filters, channels, kh, kw), b: (filters) or null; y: (batch, filters,
 * outH, outW). The zeros of the padding enter the distance as numbers do. The patches are stored, twice.
 * Throws as {@link lpDistance}, and ShapeError when channels differ or the image is too small.
 */
export function lpDistance2d(
  x: Tensor,
  w: Tensor,
  b: Tensor | null = null,
  options: LpDistanceOptions & UnfoldOptions = {},
): Tensor {
  expectOptions('lpDistance2d', options, ['p', 'stride', 'padding', 'dilation']);
  const { p = Infinity, ...geometry } = options;
  const [batch, channels, height] = expectRank(x, 4, 'lpDistance2d: x') as [number, number, number];
  const [filters, inChannels, kh, kw] = expectRank(w, 4, 'lpDistance2d: weight') as [number, number, number, number];
  if (channels !== inChannels)
    throw new ShapeError(`lpDistance2d: x has shape [${x.shape}], weight [${w.shape}] takes ${inChannels} channels`);
  const columns = unfold(x, [kh, kw], geometry);
  const down = (v: UnfoldOptions['stride'], otherwise: number): number =>
    typeof v === 'object' ? v[0] : (v ?? otherwise);
  const [stride, pad, gap] = [down(geometry.stride, 1), down(geometry.padding, 0), down(geometry.dilation, 1)];
  const outH = Math.floor((height + 2 * pad - gap * (kh - 1) - 1) / stride) + 1;
  const y = lpDistance(permute(columns, [0, 2, 1]), reshape(w, [filters, channels * kh * kw]), b, { p });
  return reshape(permute(y, [0, 2, 1]), [batch, filters, outH, columns.shape[2]! / outH]);
}

/** Bounds of every output of an l_infinity-distance layer. */
export interface DistanceBounds {
  lower: Tensor;
  upper: Tensor;
}

/**
 * Bounds of ||x - w[o]||_inf over all x with lower <= x <= upper. lower, upper: (..., in), w: (out, in); both results
 * (..., out):
 *   upper[o] = max_i max(w_i - lower_i, upper_i - w_i)      lower[o] = max(0, max_i max(lower_i - w_i, w_i - upper_i))
 * `repairCrossed`: bounds that rounding has crossed are both replaced by their middle first. Default: false.
 * The gradient goes to the lowest index that gives the bound; where both sides do, each gets half; at lower = 0 there
 * is none. Throws ShapeError when sizes do not fit.
 */
export function infDistanceBounds(
  lower: Tensor,
  upper: Tensor,
  w: Tensor,
  options: { repairCrossed?: boolean } = {},
): DistanceBounds {
  expectOptions('infDistanceBounds', options, ['repairCrossed']);
  const { repairCrossed = false } = options;
  for (const [t, name] of [
    [lower, 'lower'],
    [upper, 'upper'],
    [w, 'weight'],
  ] as const)
    expectDType(t, 'f32', `infDistanceBounds: ${name}`);
  expectRank(w, 2, 'infDistanceBounds: weight');
  expectFeatures('infDistanceBounds: lower', lower, w);
  expectShape(upper, lower.shape, 'infDistanceBounds: upper');
  let [low, high] = [lower, upper];
  if (repairCrossed) {
    const [crossed, middle] = [greater(lower, upper), mul(add(lower, upper), 0.5)];
    [low, high] = [where(crossed, middle, lower), where(crossed, middle, upper)];
  }
  const wild = wildIn(low, high, w);
  const bounds = {
    lower: maximum(largest(low, w, ABOVE, wild), largest(high, w, BELOW, wild)),
    upper: maximum(largest(high, w, ABOVE, wild), largest(low, w, BELOW, wild)),
  };
  wild.dispose();
  return bounds;
}

function expectFeatures(what: string, x: Tensor, w: Tensor): void {
  if (x.rank > 0 && x.shape.at(-1) === w.shape[1]) return;
  throw new ShapeError(`${what} has shape [${x.shape}], weight [${w.shape}] takes ${w.shape[1]} features`);
}

/** What is maximised: |x - w|, or the positive part of x - w or of w - x. */
const [DISTANCE, ABOVE, BELOW] = [0, 1, 2];

/**
 * Blocks with as many terms a step as the first: the place of a largest term is kept by steps. Of general powers, whose
 * inner operation is long, the smallest block, but for workgroups that share a tile.
 */
function choicesFor(choices: readonly Choice[], isGeneral: boolean): readonly Choice[] {
  const { depth } = choices[0]!.tile;
  if (isGeneral && !depth) return [{ tile: SMALL_TILE, pays: null }];
  return choices.filter(({ tile }) => tile.depth === depth);
}

const NO_POWER = { p: 0, first: [0, 0, 0] };

/** Sizes of a layer and the variant of its forward kernels: rows of x against rows of w. */
function layerOf(x: Tensor, w: Tensor, isGeneral = false) {
  const [n, k] = w.shape as [number, number];
  const m = sizeOf(x.shape.slice(0, -1));
  const choices = choicesFor(x.gpu.tuning.tilesFor(m, n, 1, { transposeB: true, isLong: true }), isGeneral);
  const variant = { RAGGED_K: Number(k % 4 !== 0), ...vectors(k % 4 === 0, n % 4 === 0) };
  return {
    m,
    n,
    k,
    variant,
    /** Its workgroups take so many terms at a time. */
    shared: 4 * (choices[0]!.tile.depth ?? 0),
    pieces: <V extends object>(v: V, launch: (piece: Piece<V>) => void) =>
      inPieces(choices, [m, n, 1], flopsOf(m, n, k), v, launch, { kind: `distance ${JSON.stringify(v)}` }),
  };
}

/** Reads of x and w, and writes of y, four elements at a time where rows allow it. */
function vectors(read: boolean, write: boolean) {
  return {
    ...(read
      ? { ElementA: 'vec4f', UNIT_A: 4, readA: 'return x[i];', ElementB: 'vec4f', UNIT_B: 4, readB: 'return w[i];' }
      : {}),
    ...(write ? { ElementY: 'vec4f', writeY: 'y[i >> 2u] = v;' } : {}),
  };
}

/** How a maximum is kept. */
function maxima(gpu: Gpu, direction: number) {
  if (!gpu.tuning.maximaAsIntegers) return {};
  return {
    Maxima: 'vec4i',
    larger: `return max(most, bitcast<vec4i>(t)${direction === DISTANCE ? ' & vec4i(0x7fffffff)' : ''});`,
  };
}

/** What a forward kernel looks at to find NaN that it may pass over; `free` when it is recorded. */
function watched(
  x: Tensor,
  w: Tensor,
  watch: Tensor<'u32'> | boolean,
): { wild: Tensor | Tensor<'u32'>; WATCHED: number; free: () => void } {
  if (watch instanceof Tensor) return { wild: watch, WATCHED: 1, free: () => {} };
  if (!watch) return { wild: x, WATCHED: 0, free: () => {} };
  const wild = wildIn(x, w);
  return { wild, WATCHED: 1, free: () => wild.dispose() };
}

/** What a kernel binds in place of distances and their gradients, which it does not read. */
function unused(x: Tensor) {
  return { distance_: x, dy: x };
}

/** Features and invocations of a workgroup of `gatherLargest`. */
const [FEATURES, GATHERING] = [512, 128];

/** Of one pass over all terms, three each: a difference, its power or magnitude, a sum or maximum. */
function flopsOf(m: number, n: number, k: number): number {
  return 3 * m * n * k;
}

/**
 * max(0, max_k of the terms of a direction), with a one-hot gradient. Numbers may pass over NaN, and bits over one with
 * a sign, which no magnitude has: then it is watched for, in a word of {@link wildIn} or, if true, one of its own.
 */
function largest(x: Tensor, w: Tensor, direction: number, watch: Tensor<'u32'> | boolean): Tensor {
  const { m, n, k, variant, shared, pieces } = layerOf(x, w);
  const { gpu } = x;
  const how = { DIRECTION: direction, ...maxima(gpu, direction) };
  const { wild, WATCHED, free } = watched(x, w, watch);
  const y = empty([...x.shape.slice(0, -1), n], { gpu });
  const params = { ...NO_POWER, m, n, k };
  const forward = { ...variant, ...how, WATCHED };
  if (!isRecorded(x, w)) {
    pieces(forward, ({ isTiled, grid, first, variant, flops, other }) => {
      const entry = isTiled ? 'tiledLargest' : 'forwardLargest';
      kernel[entry]({ ...params, first }, { ...unused(x), x, w, y, wild }, grid, variant, flops, other);
    });
    free();
    return record('lpDistance', y);
  }
  const index = empty([m, n], { dtype: 'u32', gpu });
  pieces({ ...forward, ...(shared > 0 ? { INDEXED: 1 } : {}) }, ({ isTiled, grid, first, variant, flops, other }) => {
    const buffers = { ...unused(x), x, w, y, index, wild };
    kernel[isTiled ? 'tiledIndexed' : 'forwardIndexed']({ ...params, first }, buffers, grid, variant, flops, other);
  });
  free();
  return record('lpDistance', y, [x, w], {
    fused: (dy, into) => {
      kernel.locate(params, { x, w, distance_: y, index }, [m * n], {
        ...how,
        ...(shared > 0 ? { SPAN: shared } : {}),
      });
      const scatter = (target: Tensor, rows: number, terms: number, transposed: number): Tensor => {
        const sizes = { ...NO_POWER, m: rows, n: k, k: terms };
        const buffers = { dy, distance_: y, y: target, index };
        if (shared > 0) {
          kernel.gatherLargest(sizes, buffers, [rows * Math.ceil(k / FEATURES) * GATHERING], { A_T: transposed });
          return target;
        }
        clear(target);
        if (k > 0) kernel.backwardLargest(sizes, buffers, [rows], { A_T: transposed });
        return target;
      };
      return [() => scatter(into.gradient(0), m, n, 0), () => scatter(into.gradient(1), n, m, 1)];
    },
  });
}

/** The l_p distance for finite p. */
function powered(x: Tensor, w: Tensor, p: number | Tensor): Tensor {
  const squarings = typeof p === 'number' ? Math.log2(p) : NaN;
  const isDoubling = Number.isInteger(squarings);
  const { m, n, k, variant, pieces } = layerOf(x, w, !isDoubling);
  const { gpu } = x;
  const y = empty([...x.shape.slice(0, -1), n], { gpu });
  const how = {
    ...(isDoubling ? { SQUARINGS: squarings } : { GENERAL: 1 }),
    ...(typeof p === 'number' ? { power_: 'return params.p;' } : {}),
  };
  const number = typeof p === 'number' ? p : 0;
  // A shader that takes p as a number does not read the tensor in its place.
  const exponent = typeof p === 'number' ? w : p;
  const isNormalised = typeof p !== 'number' || p > 10;
  // A largest term kept as bits is NaN if one is.
  const { wild, WATCHED, free } = watched(x, w, !isDoubling && !(isNormalised && gpu.tuning.maximaAsIntegers));
  const forward = { ...variant, ...how, NORMALISED: Number(isNormalised), WATCHED, ...maxima(gpu, DISTANCE) };
  pieces(forward, ({ isTiled, grid, first, variant, flops, other }) => {
    const buffers = { ...unused(x), x, w, exponent, y, wild };
    kernel[isTiled ? 'tiled' : 'forward']({ m, n, k, p: number, first }, buffers, grid, variant, flops, other);
  });
  free();
  return record('lpDistance', y, typeof p === 'number' ? [x, w] : [x, w, p], {
    fused: (dy, into) => {
      // |t|^0 needs the sign of t, which a product of no factors does not have.
      const slope = p === 1 ? { GENERAL: 1, power_: 'return params.p;' } : how;
      const gradient = (
        target: Tensor,
        own: Tensor,
        other: Tensor,
        rows: number,
        terms: number,
        transposed: number,
      ): Tensor => {
        const traits = { isLong: true, planes: 2 };
        const choices = choicesFor(gpu.tuning.tilesFor(rows, k, 1, traits), 'GENERAL' in slope);
        const shared = choices[0]!.tile.depth ? { BACKWARD: 1, B_T: 0 } : {};
        const backward = { ...vectors(k % 4 === 0, k % 4 === 0), ...slope, A_T: transposed, ...shared };
        const buffers = { x: own, w: other, exponent, distance_: y, dy, y: target, wild: own };
        inPieces(
          choices,
          [rows, k, 1],
          flopsOf(m, n, k),
          backward,
          ({ isTiled, grid, first, variant, flops, other }) => {
            const params = { m: rows, n: k, k: terms, p: number, first };
            kernel[isTiled ? 'tiled' : 'backward'](params, buffers, grid, variant, flops, other);
          },
          { kind: `distance ${JSON.stringify(backward)}`, planes: 2 },
        );
        return target;
      };
      return [
        () => gradient(into.gradient(0), x, w, m, n, 0),
        () => gradient(into.gradient(1), w, x, n, m, 1),
        ...(typeof p === 'number' ? [] : [null]),
      ];
    },
  });
}
