import kernel from '../../shaders/random.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import {
  expectNumber,
  hostDraw,
  isPositive,
  parameter,
  placeOf,
  type DrawOptions,
  type HostDrawOptions,
} from './draw.ts';
import type { Key } from './key.ts';
import { logOf, normals, unitOpen } from './normal.ts';
import { mulHigh, philox } from './philox.ts';

const f = Math.fround;
const UNIT = 'f32(w >> 8u) * 5.9604645e-8';
const NONE = { items: 1, p: 0, q: 0, low: 0, range: 0 };
const FINITE = 'a finite number';

const gridOf = ({ count, size }: { count: number; size: number }): number[] => [count * Math.ceil(size / 4)];

/** Elements whose bits are the WGSL expression `value` of a word w and the numbers p and q. */
function draw<D extends 'f32' | 'u32' | 'bool'>(
  op: string,
  shape: readonly number[],
  key: Key,
  options: DrawOptions,
  dtype: D,
  value: string,
  [p = 0, q = 0]: readonly number[] = [],
  table?: Tensor,
): Tensor<D> {
  const { gpu, state, place } = placeOf(op, key, shape, options);
  const y = empty(shape, { dtype, gpu });
  kernel.draw({ ...place, ...NONE, p, q }, { state, x: table ?? state, words: y }, gridOf(place), {
    value: `return ${value};`,
    TABLE: Number(table !== undefined),
  });
  record(op, y);
  return y;
}

/** Random 32-bit words. */
export function bits(shape: readonly number[], key: Key, options: DrawOptions = {}): Tensor<'u32'> {
  expectOptions('bits', options, ['stream', 'first', 'gpu']);
  return draw('bits', shape, key, options, 'u32', 'w');
}

/** Bounds of a uniform distribution. */
export interface UniformOptions {
  /** Default: 0. */
  low?: number;
  /** At least `low`. Default: 1. */
  high?: number;
}

function expectBounds(op: string, low: number, high: number): void {
  expectNumber(`${op}: low`, low, Number.isFinite, FINITE);
  expectNumber(`${op}: high`, high, (v) => Number.isFinite(v) && v >= low, `a finite number of at least low, ${low}`);
}

/** Uniforms from low to high, f32, in steps of (high - low) / 2^24; `high` itself only by rounding. */
export function uniform(shape: readonly number[], key: Key, given: DrawOptions & UniformOptions = {}): Tensor {
  expectOptions('uniform', given, ['stream', 'first', 'gpu', 'low', 'high']);
  const { low = 0, high = 1, ...options } = given;
  expectBounds('uniform', low, high);
  return draw('uniform', shape, key, options, 'f32', `bitcast<u32>(p + q * (${UNIT}))`, [low, high - low]);
}

/** Host twin of {@link uniform}: values (count, size), bit by bit. */
export function hostUniform(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & UniformOptions = {},
): Float32Array<ArrayBuffer> {
  expectOptions('hostUniform', given, ['stream', 'first', 'low', 'high']);
  const { low = 0, high = 1, ...options } = given;
  expectBounds('hostUniform', low, high);
  return hostDraw(new Float32Array(count * size), count, size, key, options, (r) =>
    r.map((w) => f(f(low) + f(f(high - low) * ((w >>> 8) * 2 ** -24)))),
  );
}

/** Mean and spread of a normal distribution. */
export interface NormalOptions {
  /** Default: 0. */
  mean?: number;
  /** Standard deviation, at least 0. Default: 1. */
  std?: number;
}

function expectNormal(op: string, mean: number, std: number): void {
  expectNumber(`${op}: mean`, mean, Number.isFinite, FINITE);
  expectNumber(`${op}: std`, std, (v) => v >= 0 && Number.isFinite(v), 'a finite number of at least 0');
}

/**
 * Normals with mean and standard deviation, f32. Item n along the first axis depends on (key, stream, first + n) alone.
 */
export function normal(shape: readonly number[], key: Key, given: DrawOptions & NormalOptions = {}): Tensor {
  expectOptions('normal', given, ['stream', 'first', 'gpu', 'mean', 'std']);
  const { mean = 0, std = 1, ...options } = given;
  expectNormal('normal', mean, std);
  const { gpu, state, place } = placeOf('normal', key, shape, options);
  const y = empty(shape, { gpu });
  kernel.normal({ ...place, ...NONE, p: mean, q: std }, { state, x: state, y }, gridOf(place));
  return y;
}

/** Host twin of {@link normal}: the same values, for initialisation and for tests. */
export function hostNormal(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & NormalOptions = {},
): Float32Array<ArrayBuffer> {
  expectOptions('hostNormal', given, ['stream', 'first', 'mean', 'std']);
  const { mean = 0, std = 1, ...options } = given;
  expectNormal('hostNormal', mean, std);
  return hostDraw(new Float32Array(count * size), count, size, key, options, (r) =>
    normals(r as [number, number, number, number]).map((z) => f(f(mean) + f(f(std) * z))),
  );
}

/**
 * x plus normal noise. x: (items, ...); the result has `count` items (default: as many), item n being x[n % items] with
 * noise of its own: one image and a count of 1000 give 1000 noisy copies. The gradient passes when count = items.
 */
export function addNormal(
  x: Tensor,
  key: Key,
  given: Omit<DrawOptions, 'gpu'> & { std: number; count?: number },
): Tensor {
  expectOptions('addNormal', given, ['std', 'count', 'stream', 'first']);
  const { std, count = x.shape[0]!, ...options } = given;
  expectDType(x, 'f32', 'addNormal: x');
  expectNormal('addNormal', 0, std);
  if (x.rank < 1 || x.shape[0] === 0)
    throw new ShapeError(`addNormal: x has shape [${x.shape}], expected (items, ...) with at least one item`);
  const shape = [count, ...x.shape.slice(1)];
  const { gpu, state, place } = placeOf('addNormal', key, shape, { ...options, gpu: x.gpu });
  const y = empty(shape, { gpu });
  kernel.normal({ ...place, ...NONE, items: x.shape[0]!, q: std }, { state, x, y }, gridOf(place), { ADD: 1 });
  // Copies of an item have no gradient.
  return record('addNormal', y, count === x.shape[0] ? [x] : [], { gradient: (dy) => [dy] });
}

/** Probability of a one. */
export interface BernoulliOptions<D> {
  /**
   * One number from 0 to 1, or an f32 tensor of the shape of the draw; values of it outside 0..1 act as the nearer end,
   * and NaN gives NaN, or false. Default: 0.5.
   */
  p?: number | Tensor;
  /** Type of the zeros and ones. Default: f32. */
  dtype?: D;
}

const isProbability = (v: number): boolean => v >= 0 && v <= 1;

/** Ones with probability p, else zeros; p counts to 24 bits, rounded up, so that 0 and 1 are certain. */
export function bernoulli<D extends 'f32' | 'bool' = 'f32'>(
  shape: readonly number[],
  key: Key,
  given: DrawOptions & BernoulliOptions<D> = {},
): Tensor<D> {
  expectOptions('bernoulli', given, ['stream', 'first', 'gpu', 'p', 'dtype']);
  const { p = 0.5, dtype = 'f32' as D, ...options } = given;
  const { gpu, state } = placeOf('bernoulli', key, shape, options);
  const { value, table, isTable } = parameter('bernoulli: p', p, shape, isProbability, 'a number from 0 to 1', state);
  const [one, none] = dtype === 'bool' ? ['1u', '0u'] : ['0x3f800000u', 'bitcast<u32>(p)'];
  return draw(
    'bernoulli',
    shape,
    key,
    { ...options, gpu },
    dtype,
    `select(select(0u, ${one}, ${UNIT} < p), ${none}, isNan(p))`,
    [value],
    isTable ? (table as Tensor) : undefined,
  );
}

/** Host twin of {@link bernoulli}; p: one number, or one for each element. */
export function hostBernoulli(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & { p?: number | ArrayLike<number> } = {},
): Float32Array<ArrayBuffer> {
  expectOptions('hostBernoulli', given, ['stream', 'first', 'p']);
  const { p = 0.5, ...options } = given;
  if (typeof p === 'number') expectNumber('hostBernoulli: p', p, isProbability, 'a number from 0 to 1');
  const of = (i: number): number => f(typeof p === 'number' ? p : p[i]!);
  return hostDraw(new Float32Array(count * size), count, size, key, options, (r, at) =>
    r.map((w, j) => (Number.isNaN(of(at + j)) ? NaN : Number((w >>> 8) * 2 ** -24 < of(at + j)))),
  );
}

/** Bounds of random integers. */
export interface RandintOptions {
  /** The smallest. Default: 0. */
  low?: number;
  /** One more than the largest. */
  high: number;
}

function expectRange(op: string, low: number, high: number): void {
  expectNumber(
    `${op}: low`,
    low,
    (v) => Number.isInteger(v) && v >= -(2 ** 31) && v < 2 ** 31,
    'an integer of 32 bits',
  );
  expectNumber(
    `${op}: high`,
    high,
    (v) => Number.isInteger(v) && v > low && v <= 2 ** 31,
    `an integer above low, ${low}, and at most 2^31`,
  );
}

/**
 * Integers low, .., high - 1, each as likely as the others, i32; named as PyTorch's. The high half of a 32-bit word
 * times the range, redrawn where that would favour a value (Lemire, "Fast random integer generation in an interval",
 * 2019), at most 31 times: any value's probability is off by less than 2^-32 of itself.
 */
export function randint(shape: readonly number[], key: Key, given: DrawOptions & RandintOptions): Tensor<'i32'> {
  expectOptions('randint', given, ['stream', 'first', 'gpu', 'low', 'high']);
  const { low = 0, high, ...options } = given;
  expectRange('randint', low, high);
  const { gpu, state, place } = placeOf('randint', key, shape, options);
  const y = empty(shape, { dtype: 'i32', gpu });
  kernel.integers({ ...place, ...NONE, low, range: high - low }, { state, words: y }, gridOf(place));
  return y;
}

/** Host twin of {@link randint}. */
export function hostRandint(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & RandintOptions,
): Int32Array<ArrayBuffer> {
  expectOptions('hostRandint', given, ['stream', 'first', 'low', 'high']);
  const { low = 0, high, ...options } = given;
  expectRange('hostRandint', low, high);
  const range = (high - low) >>> 0;
  const excess = 2 ** 32 % (high - low);
  return hostDraw(new Int32Array(count * size), count, size, key, options, (r, _, block) =>
    r.map((first, j) => {
      let word = first;
      for (let attempt = 1; Math.imul(word, range) >>> 0 < excess && attempt < 32; attempt++)
        word = philox([...block, attempt], key)[j]!;
      return low + (range === 0 ? word : mulHigh(word, range));
    }),
  );
}

/**
 * Exponentially distributed, -log(u) / rate with u the middle of one of 2^23 parts of (0, 1): from 6e-8 / rate to 16.6
 * / rate.
 */
export function exponential(shape: readonly number[], key: Key, given: DrawOptions & { rate?: number } = {}): Tensor {
  expectOptions('exponential', given, ['stream', 'first', 'gpu', 'rate']);
  const { rate = 1, ...options } = given;
  expectNumber('exponential: rate', rate, isPositive, 'a finite number above 0');
  return draw('exponential', shape, key, options, 'f32', 'bitcast<u32>(p * -logOf(unitOpen(w)))', [1 / rate]);
}

/** Host twin of {@link exponential}. */
export function hostExponential(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & { rate?: number } = {},
): Float32Array<ArrayBuffer> {
  expectOptions('hostExponential', given, ['stream', 'first', 'rate']);
  const { rate = 1, ...options } = given;
  expectNumber('hostExponential: rate', rate, isPositive, 'a finite number above 0');
  return hostDraw(new Float32Array(count * size), count, size, key, options, (r) =>
    r.map((w) => f(f(1 / rate) * -logOf(unitOpen(w)))),
  );
}

/** Place and spread of a Gumbel distribution. */
export interface GumbelOptions {
  /** Default: 0. */
  loc?: number;
  /** Above 0. Default: 1. */
  scale?: number;
}

function expectGumbel(op: string, loc: number, scale: number): void {
  expectNumber(`${op}: loc`, loc, Number.isFinite, FINITE);
  expectNumber(`${op}: scale`, scale, isPositive, 'a finite number above 0');
}

/** Gumbel distributed, loc - scale log(-log(u)): for loc 0 and scale 1 from -2.81 to 16.6. */
export function gumbel(shape: readonly number[], key: Key, given: DrawOptions & GumbelOptions = {}): Tensor {
  expectOptions('gumbel', given, ['stream', 'first', 'gpu', 'loc', 'scale']);
  const { loc = 0, scale = 1, ...options } = given;
  expectGumbel('gumbel', loc, scale);
  return draw('gumbel', shape, key, options, 'f32', 'bitcast<u32>(p - q * logOf(-logOf(unitOpen(w))))', [loc, scale]);
}

/** Host twin of {@link gumbel}. */
export function hostGumbel(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & GumbelOptions = {},
): Float32Array<ArrayBuffer> {
  expectOptions('hostGumbel', given, ['stream', 'first', 'loc', 'scale']);
  const { loc = 0, scale = 1, ...options } = given;
  expectGumbel('hostGumbel', loc, scale);
  return hostDraw(new Float32Array(count * size), count, size, key, options, (r) =>
    r.map((w) => f(f(loc) - f(f(scale) * logOf(-logOf(unitOpen(w)))))),
  );
}
