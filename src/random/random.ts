import kernel from '../../shaders/random.wgsl';
import { currentGpu, type Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { unscoped } from '../tensor/scope.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, tensor, Tensor } from '../tensor/tensor.ts';
import type { Key } from './key.ts';
import { normals } from './normal.ts';
import { philox } from './philox.ts';

/** Where in the stream of a key the numbers are taken. */
export interface DrawOptions {
  /** Sub-stream of the key. Default: 0. */
  stream?: number;
  /** u32 (2 or more): number of the first item, and what is added to the stream; on the device, so that a captured step draws anew. Default: 0, 0. */
  first?: Tensor<'u32'>;
}

function start(gpu: Gpu, first?: Tensor<'u32'>): Tensor<'u32'> {
  return first ?? gpu.constant('random start', () => unscoped(() => tensor([0, 0], { dtype: 'u32', gpu })));
}

function params(key: Key, shape: readonly number[], { stream = 0 }: DrawOptions, mean: number, std: number, items = 1) {
  const count = shape[0] ?? 1;
  const size = sizeOf(shape.slice(1));
  return { values: { key0: key[0], key1: key[1], stream, count, size, items, mean, deviation: std }, grid: [count * Math.ceil(size / 4)] };
}

/** Normals with mean and standard deviation, f32. Item n along the first axis depends on (key, stream, first + n) alone. */
export function normal(shape: readonly number[], key: Key, { mean = 0, std = 1, gpu = currentGpu(), ...draw }: DrawOptions & { mean?: number; std?: number; gpu?: Gpu } = {}): Tensor {
  const y = empty(shape, { gpu });
  const { values, grid } = params(key, shape, draw, mean, std);
  const state = start(gpu, draw.first);
  kernel.normal(values, { state, x: state, y }, grid);
  return y;
}

/** Uniforms from low to high, f32, in steps of (high - low) / 2^24; `high` itself only by rounding. */
export function uniform(shape: readonly number[], key: Key, { low = 0, high = 1, gpu = currentGpu(), ...draw }: DrawOptions & { low?: number; high?: number; gpu?: Gpu } = {}): Tensor {
  const y = empty(shape, { gpu });
  const { values, grid } = params(key, shape, draw, low, high - low);
  kernel.uniform_(values, { state: start(gpu, draw.first), y }, grid);
  return y;
}

/** Random 32-bit words. */
export function bits(shape: readonly number[], key: Key, { gpu = currentGpu(), ...draw }: DrawOptions & { gpu?: Gpu } = {}): Tensor<'u32'> {
  const y = empty(shape, { dtype: 'u32', gpu });
  const { values, grid } = params(key, shape, draw, 0, 1);
  kernel.bits(values, { state: start(gpu, draw.first), words: y }, grid);
  return y;
}

/**
 * x plus normal noise. x: (items, ...); the result has `count` items (default: as many), item n being x[n % items] with
 * noise of its own: one image and a count of 1000 give 1000 noisy copies. The gradient passes when count = items.
 */
export function addNormal(x: Tensor, key: Key, { std, count = x.shape[0]!, ...draw }: DrawOptions & { std: number; count?: number }): Tensor {
  expectDType(x, 'f32', 'addNormal: x');
  if (!(std >= 0 && Number.isFinite(std))) throw new RangeError(`addNormal: std is ${std}, expected a finite number of at least 0`);
  if (x.rank < 1 || x.shape[0] === 0) throw new ShapeError(`addNormal: x has shape [${x.shape}], expected (items, ...) with at least one item`);
  const shape = [count, ...x.shape.slice(1)];
  const y = empty(shape, { gpu: x.gpu });
  const { values, grid } = params(key, shape, draw, 0, std, x.shape[0]);
  kernel.normal(values, { state: start(x.gpu, draw.first), x, y }, grid, { ADD: 1 });
  if (count !== x.shape[0]) return y;
  return record('addNormal', y, [x], (dy) => [dy], { composed: true });
}

/** Host twin of {@link normal}: the same values, for initialisation and for tests. */
export function hostNormal(count: number, size: number, key: Key, { stream = 0, first = 0, mean = 0, std = 1 }: { stream?: number; first?: number; mean?: number; std?: number } = {}): Float32Array<ArrayBuffer> {
  return hostDraw(count, size, key, stream, first, (r) => normals(r).map((z) => Math.fround(Math.fround(mean) + Math.fround(Math.fround(std) * z))));
}

/** Host twin of {@link uniform}. */
export function hostUniform(count: number, size: number, key: Key, { stream = 0, first = 0, low = 0, high = 1 }: { stream?: number; first?: number; low?: number; high?: number } = {}): Float32Array<ArrayBuffer> {
  const range = Math.fround(high - low);
  return hostDraw(count, size, key, stream, first, (r) => r.map((w) => Math.fround(Math.fround(low) + Math.fround(range * ((w >>> 8) * 2 ** -24)))));
}

function hostDraw(count: number, size: number, key: Key, stream: number, first: number, map: (r: [number, number, number, number]) => number[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(count * size);
  for (let n = 0; n < count; n++) {
    for (let at = 0; at < size; at += 4) {
      const v = map(philox([at / 4, first + n, stream, 0], key));
      for (let j = 0; j < 4 && at + j < size; j++) out[n * size + at + j] = v[j]!;
    }
  }
  return out;
}
