import kernel from '../../shaders/gamma.wgsl';
import { any, check, checkOptions, listOf, positive, required } from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, tensor, Tensor } from '../tensor/tensor.ts';
import { DRAW, HOST_DRAW, orTable, parameter, placeOf, type DrawOptions, type HostDrawOptions } from './draw.ts';
import type { Key } from './key.ts';
import { circle, expNegative, logOf, radiusOf, unitOpen } from './box-muller.ts';
import { philox } from './philox.ts';

const f = Math.fround;

/** Shape and scale of a gamma distribution. */
export interface GammaOptions<T = number | Tensor> {
  /** The shape, above 0: one number, or an f32 tensor of the shape of the draw (not checked; NaN gives NaN). */
  concentration: T;
  /** One over the scale, above 0. Default: 1. */
  rate?: number;
}

/**
 * Gamma distributed, with PyTorch's parameters: mean concentration / rate. Method of Marsaglia and Tsang (ACM TOMS
 * 2000), below concentration 1 by their boost G(a) = G(a + 1) u^(1/a). Each element tries 16 times on counters of its
 * own; an attempt is accepted with probability 0.951 or more, and a draw for which all fail (below 2e-21) is a - 1/3,
 * near the mode. Values below 2^-126 are 0. Element e of item n depends on (key, stream, first + n, e) alone. No
 * gradient.
 */
export function gamma(shape: readonly number[], key: Key, given: DrawOptions & GammaOptions): Tensor {
  checkOptions('gamma', given, { ...DRAW, concentration: required(orTable(positive)), rate: positive });
  const { concentration, rate = 1, ...options } = given;
  const { gpu, state, place } = placeOf(key, shape, options);
  const a = parameter('gamma: concentration', concentration, shape, state);
  const y = empty(shape, { gpu });
  kernel.gamma({ ...place, classes: 1, a: a.value, b: 1 / rate }, { state, tableA: a.table, y }, [y.size], {
    TABLE_A: a.isTable,
  });
  record('gamma', y);
  return y;
}

/**
 * Parameters of a beta distribution, both above 0: numbers, or f32 tensors of the shape of the draw (not checked; NaN
 * gives NaN).
 */
export interface BetaOptions<T = number | Tensor> {
  a: T;
  b: T;
}

/**
 * Beta(a, b) distributed: G(a) / (G(a) + G(b)) of two draws as in {@link gamma}, put together so that tiny parameters
 * do not give 0 / 0; a value nearer to an end than f32 can tell is that end.
 */
export function beta(shape: readonly number[], key: Key, given: DrawOptions & BetaOptions): Tensor {
  checkOptions('beta', given, { ...DRAW, a: required(orTable(positive)), b: required(orTable(positive)) });
  const { a, b, ...options } = given;
  const { gpu, state, place } = placeOf(key, shape, options);
  const [p, q] = [parameter('beta: a', a, shape, state), parameter('beta: b', b, shape, state)];
  const y = empty(shape, { gpu });
  kernel.beta(
    { ...place, classes: 1, a: p.value, b: q.value },
    { state, tableA: p.table, tableB: q.table, y },
    [y.size],
    { TABLE_A: p.isTable, TABLE_B: q.isTable },
  );
  record('beta', y);
  return y;
}

/**
 * Rows of probabilities (...shape, classes), Dirichlet distributed; `concentration`: a list, or an f32 tensor (classes)
 * (not checked; NaN gives NaN).
 */
export function dirichlet(
  shape: readonly number[],
  key: Key,
  given: DrawOptions & { concentration: readonly number[] | Tensor },
): Tensor {
  const { concentration, ...options } = given;
  const isList = !(concentration instanceof Tensor);
  checkOptions('dirichlet', given, { ...DRAW, concentration: required(any) });
  if (isList) check('dirichlet', { concentration }, { concentration: listOf(positive) });
  else {
    expectDType(concentration, 'f32', 'dirichlet: concentration');
    if (concentration.rank !== 1)
      throw new ShapeError(`dirichlet: concentration has shape [${concentration.shape}], expected one axis`);
  }
  const classes = isList ? concentration.length : concentration.size;
  if (classes === 0) throw new ShapeError('dirichlet: concentration is empty, expected at least one class');
  const { gpu, state, place } = placeOf(key, [shape[0] ?? 1, ...shape.slice(1), classes], options);
  const y = empty([...shape, classes], { gpu });
  const table = isList ? tensor(concentration, { gpu }) : concentration;
  kernel.dirichlet({ ...place, classes, a: 0, b: 0 }, { state, tableA: table, y }, [y.size / classes]);
  if (isList) table.dispose();
  record('dirichlet', y);
  return y;
}

type At = readonly [element: number, item: number, stream: number];

/** v, or 0 where v is too small for a normal f32. */
const normalOrZero = (v: number): number => (v < 2 ** -126 ? 0 : v);

function boostOf([element, item, stream]: At, sub: number, key: Key, shape: number): number {
  if (shape >= 1) return 0;
  return Math.max(f(logOf(unitOpen(philox([element, item, stream, sub], key)[0])) / shape), f(-3.0e38));
}

function drawOf([element, item, stream]: At, sub: number, key: Key, shape: number): number {
  const d = f((shape < 1 ? f(shape + 1) : shape) - f(0.33333334));
  const c = f(1 / f(Math.sqrt(f(9 * d))));
  for (let attempt = 1; attempt <= 16; attempt++) {
    const [a, b, w] = philox([element, item, stream, sub + attempt], key);
    const x = f(radiusOf(a) * circle(b)[0]);
    const t = f(1 + f(c * x));
    if (t <= 0) continue;
    const v = f(f(t * t) * t);
    if (logOf(unitOpen(w)) < f(f(f(0.5 * x) * x) + f(d * f(f(1 - v) + logOf(v))))) return f(d * v);
  }
  return d;
}

function scaledOf(at: At, sub: number, key: Key, shape: number, top: number): number {
  return Number.isNaN(shape)
    ? NaN
    : normalOrZero(f(drawOf(at, sub, key, shape) * expNegative(f(boostOf(at, sub, key, shape) - top))));
}

/** Values (count, size) of `draw(place, index)`. */
function hostEach(
  count: number,
  size: number,
  { stream = 0, first = 0 }: HostDrawOptions,
  draw: (at: At, i: number) => number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count * size }, (_, i) =>
    draw([i % size, first + Math.floor(i / size), stream], i),
  );
}

/** One number for all elements, or one for each, as f32. */
function listed(value: number | ArrayLike<number>): (i: number) => number {
  return (i) => f(typeof value === 'number' ? value : value[i]!);
}

/**
 * Host version of {@link gamma}, equal where the adapter rounds every operation; elsewhere a rare acceptance falls out
 * differently.
 */
export function hostGamma(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & GammaOptions<number | ArrayLike<number>>,
): Float32Array<ArrayBuffer> {
  checkOptions('hostGamma', given, { ...HOST_DRAW, concentration: required(orTable(positive)), rate: positive });
  const { concentration, rate = 1, ...options } = given;
  const a = listed(concentration);
  return hostEach(count, size, options, (at, i) => normalOrZero(f(f(1 / rate) * scaledOf(at, 0, key, a(i), 0))));
}

/** Host version of {@link beta}. */
export function hostBeta(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & BetaOptions<number | ArrayLike<number>>,
): Float32Array<ArrayBuffer> {
  checkOptions('hostBeta', given, { ...HOST_DRAW, a: required(orTable(positive)), b: required(orTable(positive)) });
  const { a, b, ...options } = given;
  const [p, q] = [listed(a), listed(b)];
  return hostEach(count, size, options, (at, i) => {
    const top = Math.max(boostOf(at, 0, key, p(i)), boostOf(at, 32, key, q(i)));
    const [first, second] = [scaledOf(at, 0, key, p(i), top), scaledOf(at, 32, key, q(i), top)];
    return normalOrZero(f(first / f(first + second)));
  });
}

/** Host version of {@link dirichlet}: `rows` rows an item. */
export function hostDirichlet(
  count: number,
  rows: number,
  key: Key,
  given: HostDrawOptions & { concentration: readonly number[] },
): Float32Array<ArrayBuffer> {
  checkOptions('hostDirichlet', given, { ...HOST_DRAW, concentration: required(listOf(positive)) });
  const { concentration, ...options } = given;
  const classes = concentration.length;
  const of = (i: number): number => f(concentration[i % classes]!);
  const boosts = hostEach(count, rows * classes, options, (at, i) => boostOf(at, 0, key, of(i)));
  const y = hostEach(count, rows * classes, options, (at, i) => {
    const row = i - (i % classes);
    const top = boosts.subarray(row, row + classes).reduce((m, v) => Math.max(m, v), f(-3.0e38));
    return scaledOf(at, 0, key, of(i), top);
  });
  for (let row = 0; row < y.length; row += classes) {
    const own = y.subarray(row, row + classes);
    const sum = own.reduce((s, v) => f(s + v), 0);
    own.forEach((v, c) => (own[c] = normalOrZero(f(v / sum))));
  }
  return y;
}
