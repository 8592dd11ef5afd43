import kernel from '../../shaders/gamma.wgsl';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, tensor, Tensor } from '../tensor/tensor.ts';
import { expectNumber, isPositive, parameter, placeOf, type DrawOptions, type HostDrawOptions } from './draw.ts';
import type { Key } from './key.ts';
import { circle, expNegative, logOf, radiusOf, unitOpen } from './normal.ts';
import { philox } from './philox.ts';

const f = Math.fround;
const POSITIVE = 'a finite number above 0';

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
  expectOptions('gamma', given, ['stream', 'first', 'gpu', 'concentration', 'rate']);
  const { concentration, rate = 1, ...options } = given;
  const { gpu, state, place } = placeOf('gamma', key, shape, options);
  const a = parameter('gamma: concentration', concentration, shape, isPositive, POSITIVE, state);
  expectNumber('gamma: rate', rate, isPositive, POSITIVE);
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
  expectOptions('beta', given, ['stream', 'first', 'gpu', 'a', 'b']);
  const { a, b, ...options } = given;
  const { gpu, state, place } = placeOf('beta', key, shape, options);
  const [p, q] = [
    parameter('beta: a', a, shape, isPositive, POSITIVE, state),
    parameter('beta: b', b, shape, isPositive, POSITIVE, state),
  ];
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

function expectConcentrations(op: string, list: ArrayLike<number>): void {
  for (let c = 0; c < list.length; c++) expectNumber(`${op}: concentration[${c}]`, list[c]!, isPositive, POSITIVE);
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
  expectOptions('dirichlet', given, ['stream', 'first', 'gpu', 'concentration']);
  const { concentration, ...options } = given;
  const isList = !(concentration instanceof Tensor);
  if (isList) expectConcentrations('dirichlet', concentration);
  else {
    expectDType(concentration, 'f32', 'dirichlet: concentration');
    if (concentration.rank !== 1)
      throw new ShapeError(`dirichlet: concentration has shape [${concentration.shape}], expected one axis`);
  }
  const classes = isList ? concentration.length : concentration.size;
  if (classes === 0) throw new ShapeError('dirichlet: concentration is empty, expected at least one class');
  const { gpu, state, place } = placeOf('dirichlet', key, [shape[0] ?? 1, ...shape.slice(1), classes], options);
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
function listed(what: string, value: number | ArrayLike<number>): (i: number) => number {
  if (typeof value === 'number') expectNumber(what, value, isPositive, POSITIVE);
  return (i) => f(typeof value === 'number' ? value : value[i]!);
}

/**
 * Host twin of {@link gamma}, equal where the adapter rounds every operation; elsewhere a rare acceptance falls out
 * differently.
 */
export function hostGamma(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & GammaOptions<number | ArrayLike<number>>,
): Float32Array<ArrayBuffer> {
  expectOptions('hostGamma', given, ['stream', 'first', 'concentration', 'rate']);
  const { concentration, rate = 1, ...options } = given;
  const a = listed('hostGamma: concentration', concentration);
  expectNumber('hostGamma: rate', rate, isPositive, POSITIVE);
  return hostEach(count, size, options, (at, i) => normalOrZero(f(f(1 / rate) * scaledOf(at, 0, key, a(i), 0))));
}

/** Host twin of {@link beta}. */
export function hostBeta(
  count: number,
  size: number,
  key: Key,
  given: HostDrawOptions & BetaOptions<number | ArrayLike<number>>,
): Float32Array<ArrayBuffer> {
  expectOptions('hostBeta', given, ['stream', 'first', 'a', 'b']);
  const { a, b, ...options } = given;
  const [p, q] = [listed('hostBeta: a', a), listed('hostBeta: b', b)];
  return hostEach(count, size, options, (at, i) => {
    const top = Math.max(boostOf(at, 0, key, p(i)), boostOf(at, 32, key, q(i)));
    const [first, second] = [scaledOf(at, 0, key, p(i), top), scaledOf(at, 32, key, q(i), top)];
    return normalOrZero(f(first / f(first + second)));
  });
}

/** Host twin of {@link dirichlet}: `rows` rows an item. */
export function hostDirichlet(
  count: number,
  rows: number,
  key: Key,
  given: HostDrawOptions & { concentration: readonly number[] },
): Float32Array<ArrayBuffer> {
  expectOptions('hostDirichlet', given, ['stream', 'first', 'concentration']);
  const { concentration, ...options } = given;
  expectConcentrations('hostDirichlet', concentration);
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
