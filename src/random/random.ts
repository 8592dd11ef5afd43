import kernel from '../../shaders/random.wgsl';
import {
  any,
  atLeast,
  between,
  check,
  checkOptions,
  finite,
  integer,
  positive,
  required,
  worded,
  type Rule,
} from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';
import {
  DRAW,
  HOST_DRAW,
  hostDraw,
  orTable,
  parameter,
  placeOf,
  type DrawOptions,
  type HostDrawOptions,
} from './draw.ts';
import type { Key } from './key.ts';
import { logOf, normals, unitOpen } from './box-muller.ts';
import { mulHigh, philox } from './philox.ts';

const f = Math.fround;
const UNIT = 'f32(w >> 8u) * 5.9604645e-8';
const NONE = { items: 1, p: 0, q: 0, low: 0, range: 0 };

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
  const { gpu, state, place } = placeOf(key, shape, options);
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
  checkOptions('bits', options, DRAW);
  return draw('bits', shape, key, options, 'u32', 'w');
}

/** Bounds of a uniform distribution. */
export interface UniformOptions {
  /** Default: 0. */
  low?: number;
  /** At least `low`. Default: 1. */
  high?: number;
}

const fromLow = (low: number): Rule<number> => worded(atLeast(low), `a finite number of at least low, ${low}`);

/** Uniforms from low to high, f32, in steps of (high - low) / 2^24; `high` itself only by rounding. */
export function uniform(shape: readonly number[], key: Key, given: DrawOptions & UniformOptions = {}): Tensor {
  checkOptions('uniform', given, { ...DRAW, low: finite, high: finite });
  const { low = 0, high = 1, ...options } = given;
  check('uniform', { high }, { high: fromLow(low) });
  return draw('uniform', shape, key, options, 'f32', `bitcast<u32>(p + q * (${UNIT}))`, [low, high - low]);
}

/** Host version of {@link uniform}: values (count, size), bit by bit. */
export function hostUniform(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & UniformOptions = {},
): Float32Array<ArrayBuffer> {
  checkOptions('hostUniform', given, { ...HOST_DRAW, low: finite, high: finite });
  const { low = 0, high = 1, ...options } = given;
  check('hostUniform', { high }, { high: fromLow(low) });
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

/**
 * Normals with mean and standard deviation, f32. Item n along the first axis depends on (key, stream, first + n) alone.
 */
export function normal(shape: readonly number[], key: Key, given: DrawOptions & NormalOptions = {}): Tensor {
  checkOptions('normal', given, { ...DRAW, mean: finite, std: atLeast(0) });
  const { mean = 0, std = 1, ...options } = given;
  const { gpu, state, place } = placeOf(key, shape, options);
  const y = empty(shape, { gpu });
  kernel.normal({ ...place, ...NONE, p: mean, q: std }, { state, x: state, y }, gridOf(place));
  return y;
}

/** Host version of {@link normal}: the same values, for initialisation and for tests. */
export function hostNormal(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & NormalOptions = {},
): Float32Array<ArrayBuffer> {
  checkOptions('hostNormal', given, { ...HOST_DRAW, mean: finite, std: atLeast(0) });
  const { mean = 0, std = 1, ...options } = given;
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
  const { stream, first } = DRAW;
  checkOptions('addNormal', given, { std: required(atLeast(0)), count: integer(0), stream, first });
  const { std, count = x.shape[0]!, ...options } = given;
  expectDType(x, 'f32', 'addNormal: x');
  if (x.rank < 1 || x.shape[0] === 0)
    throw new ShapeError(`addNormal: x has shape [${x.shape}], expected (items, ...) with at least one item`);
  const shape = [count, ...x.shape.slice(1)];
  const { gpu, state, place } = placeOf(key, shape, { ...options, gpu: x.gpu });
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

const probability = worded(between(0, 1), 'a number from 0 to 1');

/** Ones with probability p, else zeros; p counts to 24 bits, rounded up, so that 0 and 1 are certain. */
export function bernoulli<D extends 'f32' | 'bool' = 'f32'>(
  shape: readonly number[],
  key: Key,
  given: DrawOptions & BernoulliOptions<D> = {},
): Tensor<D> {
  checkOptions<typeof given>('bernoulli', given, { ...DRAW, p: orTable(probability), dtype: any });
  const { p = 0.5, dtype = 'f32' as D, ...options } = given;
  const { gpu, state } = placeOf(key, shape, options);
  const { value, table, isTable } = parameter('bernoulli: p', p, shape, state);
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

/** Host version of {@link bernoulli}; p: one number, or one for each element. */
export function hostBernoulli(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & { p?: number | ArrayLike<number> } = {},
): Float32Array<ArrayBuffer> {
  checkOptions('hostBernoulli', given, { ...HOST_DRAW, p: orTable(probability) });
  const { p = 0.5, ...options } = given;
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

const integers = ({ low = 0 }: Partial<RandintOptions> = {}) => ({
  low: worded(integer(-(2 ** 31), 2 ** 31 - 1), 'an integer of 32 bits'),
  high: required(worded(integer(low + 1, 2 ** 31), `an integer above low, ${low}, and at most 2^31`)),
});

/**
 * Integers low, .., high - 1, each as likely as the others, i32; named as PyTorch's. The high half of a 32-bit word
 * times the range, redrawn where that would favour a value (Lemire, "Fast random integer generation in an interval",
 * 2019), at most 31 times: any value's probability is off by less than 2^-32 of itself.
 */
export function randint(shape: readonly number[], key: Key, given: DrawOptions & RandintOptions): Tensor<'i32'> {
  checkOptions('randint', given, { ...DRAW, ...integers(given) });
  const { low = 0, high, ...options } = given;
  const { gpu, state, place } = placeOf(key, shape, options);
  const y = empty(shape, { dtype: 'i32', gpu });
  kernel.integers({ ...place, ...NONE, low, range: high - low }, { state, words: y }, gridOf(place));
  return y;
}

/** Host version of {@link randint}. */
export function hostRandint(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & RandintOptions,
): Int32Array<ArrayBuffer> {
  checkOptions('hostRandint', given, { ...HOST_DRAW, ...integers(given) });
  const { low = 0, high, ...options } = given;
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
  checkOptions('exponential', given, { ...DRAW, rate: positive });
  const { rate = 1, ...options } = given;
  return draw('exponential', shape, key, options, 'f32', 'bitcast<u32>(p * -logOf(unitOpen(w)))', [1 / rate]);
}

/** Host version of {@link exponential}. */
export function hostExponential(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & { rate?: number } = {},
): Float32Array<ArrayBuffer> {
  checkOptions('hostExponential', given, { ...HOST_DRAW, rate: positive });
  const { rate = 1, ...options } = given;
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

/** Gumbel distributed, loc - scale log(-log(u)): for loc 0 and scale 1 from -2.81 to 16.6. */
export function gumbel(shape: readonly number[], key: Key, given: DrawOptions & GumbelOptions = {}): Tensor {
  checkOptions('gumbel', given, { ...DRAW, loc: finite, scale: positive });
  const { loc = 0, scale = 1, ...options } = given;
  return draw('gumbel', shape, key, options, 'f32', 'bitcast<u32>(p - q * logOf(-logOf(unitOpen(w))))', [loc, scale]);
}

/** Host version of {@link gumbel}. */
export function hostGumbel(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & GumbelOptions = {},
): Float32Array<ArrayBuffer> {
  checkOptions('hostGumbel', given, { ...HOST_DRAW, loc: finite, scale: positive });
  const { loc = 0, scale = 1, ...options } = given;
  return hostDraw(new Float32Array(count * size), count, size, key, options, (r) =>
    r.map((w) => f(f(loc) - f(f(scale) * logOf(-logOf(unitOpen(w)))))),
  );
}
