import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';
import { loadWgsl } from '../src/build/wgsl.ts';
import { specialize } from '../src/gpu/specialize.ts';
import { PLAIN, conv2d, conv2dGradient, type Geometry } from './reference/conv2d.ts';
import { build, type Dense } from './reference/dense.ts';

/** One launch of an entry that uses workgroup memory, and what it must give. */
interface Launch {
  shader: string;
  entry: string;
  variant: Record<string, number | string>;
  params: Record<string, number | readonly number[]>;
  /** Words of each buffer. */
  buffers: Record<string, Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>;
  groups: readonly number[];
  /** What buffers hold afterwards, in f64; exact unless `bound` says how far they may be off. */
  expected: Record<string, readonly number[]>;
  bound?: number;
}

const numbers = (n: number, f: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => f(i));
const floats = (n: number, f: (i: number) => number): Float32Array<ArrayBuffer> => Float32Array.from(numbers(n, f));

const sumOfParts = (element: number): number => numbers(40, (p) => (p * 25 + element) % 13).reduce((a, b) => a + b, 0);

/** Small integers, whose sums are exact. */
const integers = (shape: readonly number[], seed: number): Dense => build(shape, (i) => ((i * 7 + seed) % 11) - 5);

const TINY_TILE = { ROWS4: 1, COLS4: 1, LANES_X: 4, LANES_Y: 4, DEPTH: 4, LOADS_A: 4, LOADS_B: 4 };

/** The launches of a convolution of x (2, channels, 5, 6) with w (filters, channels / groups, 3, 3), padding 1. */
function convolutions(channels: number, filters: number, groups: number, stride: number): Launch[] {
  const x = integers([2, channels, 5, 6], 1);
  const w = integers([filters, channels / groups, 3, 3], 2);
  const g: Geometry = { ...PLAIN, padding: [1, 1], stride: [stride, stride], groups };
  const y = conv2d(x, w, null, g);
  const dy = integers(y.shape, 3);
  const [dx, dw] = conv2dGradient(dy, x, w, null, g) as [Dense, Dense];
  const [outH, outW] = y.shape.slice(2) as [number, number];
  const params = {
    ...{ batch: 2, channels, height: 5, width: 6, filters, outH, outW, groups, kh: 3, kw: 3, padH: 1, padW: 1 },
    ...{ strideH: stride, strideW: stride, dilH: 1, dilW: 1, tapH: stride, tapW: stride, hopH: 1, hopW: 1 },
    ...{ chunk: 16, parts: 1, span: 1, fold: 9, folds: 1 },
  };
  const isThin = filters === groups;
  const lanes = isThin ? 64 : 16;
  const common = { shader: 'conv2d-tiled', variant: { ...(isThin ? {} : TINY_TILE), BIAS: 0, DILATED: 0 } };
  const f32 = (v: Dense): Float32Array<ArrayBuffer> => Float32Array.from(v.data);
  const [one, ofY, ofX] = [floats(1, () => 0), floats(y.data.length, () => NaN), floats(x.data.length, () => NaN)];
  const entryOf = (name: string): string => (isThin ? `${name}Thin` : name);
  const launches: Launch[] = [
    {
      ...common,
      entry: entryOf('forward'),
      params,
      buffers: { left: f32(w), right: f32(x), bias: one, mask: one, y: ofY },
      groups: [Math.ceil((2 * outH * outW) / lanes), 1, groups],
      expected: { y: Array.from(y.data) },
    },
    {
      ...common,
      entry: entryOf('backwardInput'),
      params,
      buffers: { left: f32(w), right: f32(dy), bias: one, mask: one, y: ofX },
      groups: [Math.ceil((2 * Math.ceil(5 / stride) * Math.ceil(6 / stride)) / lanes), 1, groups * stride * stride],
      expected: { y: Array.from(dx.data) },
    },
  ];
  if (!isThin)
    launches.push({
      ...common,
      entry: 'backwardWeight',
      params: { ...params, chunk: 64 },
      buffers: { left: f32(dy), right: f32(x), y: floats(w.data.length, () => NaN) },
      groups: [Math.ceil(w.data.length / filters / 16), 1, groups],
      expected: { y: Array.from(dw.data) },
    });
  return launches;
}

const TABLE: Launch[] = [
  ...convolutions(2, 5, 1, 1),
  ...convolutions(2, 10, 2, 2),
  ...convolutions(2, 2, 2, 2),
  {
    shader: 'conv2d-tiled',
    entry: 'combineWeight',
    variant: { BIAS: 1 },
    params: {
      ...{ batch: 1, channels: 1, height: 3, width: 3, filters: 5, outH: 1, outW: 1, groups: 1, kh: 2, kw: 2 },
      ...{ padH: 0, padW: 0, strideH: 1, strideW: 1, dilH: 1, dilW: 1, tapH: 1, tapW: 1, hopH: 1, hopW: 1 },
      ...{ chunk: 1, parts: 40, span: 2, fold: 1, folds: 1 },
    },
    buffers: { right: floats(40 * 25, (i) => i % 13), y: floats(20, () => NaN), db: floats(5, () => NaN) },
    groups: [2],
    expected: {
      y: numbers(20, (i) => sumOfParts(Math.floor(i / 4) * 5 + (i % 4))),
      db: numbers(5, (i) => sumOfParts(i * 5 + 4)),
    },
  },
];

/**
 * Code with the calls of functions of one line written out: the lockstep run keeps what a call returned at its place in
 * the code, where the lanes share it. Functions of several lines may be called with what all lanes agree on.
 */
function inlined(code: string): string {
  const found = /^fn (\w+)\(([^)]*)\)[^{]*\{ return (.*); \}.*\n/m.exec(code);
  if (!found) return code;
  const [text, name, parameters, body] = found as unknown as [string, string, string, string];
  let rest = code.replace(text, () => '');
  const call = new RegExp(`\\b${name}\\(`);
  for (let at = rest.search(call); at >= 0; at = rest.search(call)) {
    const args = [''];
    let end = at + name.length + 1;
    for (let depth = 1; depth > 0; end++) {
      const c = rest[end]!;
      depth += Number(c === '(') - Number(c === ')');
      if (c === ',' && depth === 1) args.push('');
      else if (depth > 0) args[args.length - 1] += c;
    }
    const values = new Map(parameters.split(',').map((p, i) => [p.split(':')[0]!.trim(), args[i]!.trim()]));
    rest =
      rest.slice(0, at) +
      `(${body.replace(/\w+/g, (w) => (values.has(w) ? `(${values.get(w)})` : w))})` +
      rest.slice(end);
  }
  return inlined(rest);
}

/**
 * Code whose reads of the read-only `buffers` stay inside: a device gives anything for an index past the end, where the
 * lockstep run fails.
 */
function clamped(code: string, buffers: Launch['buffers']): string {
  for (const [name, { length }] of Object.entries(buffers)) {
    if (!new RegExp(`<storage, ?read> ?${name}\\b`).test(code)) continue;
    const find = new RegExp(`\\b${name}\\[`, 'g');
    let [out, at] = ['', 0];
    for (let m = find.exec(code); m; m = find.exec(code)) {
      const start = m.index + m[0].length;
      let end = start;
      for (let depth = 1; depth > 0; end++) depth += Number(code[end] === '[') - Number(code[end] === ']');
      out += `${code.slice(at, start)}min(${code.slice(start, end - 1)}, ${length - 1}u)]`;
      at = find.lastIndex = end;
    }
    code = out + code.slice(at);
  }
  return code;
}

/** Runs a launch in lockstep; `code` may have been changed. Buffers are copied first. */
function lockstep(
  { shader, entry, variant, params, buffers, groups }: Launch,
  change: (code: string) => string = (code) => code,
) {
  const { module } = loadWgsl(resolve(import.meta.dirname, `../shaders/${shader}.wgsl`));
  const { code, overrides } = specialize(module.code, variant);
  const layout = module.params!;
  const uniform = new DataView(new ArrayBuffer(layout.size));
  for (const [name, [offset, type]] of Object.entries(layout.fields))
    [params[name]!].flat().forEach((v, i) => {
      if (/f32|f$/.test(type)) uniform.setFloat32(offset + 4 * i, v as number, true);
      else uniform.setUint32(offset + 4 * i, v as number, true);
    });
  const copies = Object.fromEntries(Object.entries(buffers).map(([name, data]) => [name, data.slice()]));
  const bound = Object.fromEntries(
    module.entries[entry]!.bindings.map(([name, binding]) => [
      binding,
      name === 'params' ? { uniform: uniform.buffer } : copies[name]!.buffer,
    ]),
  );
  const result = detectRaces(
    inlined(clamped(change(code), buffers)),
    entry,
    [...groups],
    { 0: bound },
    { constants: overrides },
  );
  return { ...result, buffers: copies };
}

describe.each(TABLE)('$shader, $entry $variant', (launch) => {
  test('has no race and gives the right result', () => {
    const { races, errors, buffers } = lockstep(launch);
    expect([...races.map((r) => r.message), ...errors].slice(0, 3)).toEqual([]);
    for (const [name, want] of Object.entries(launch.expected)) {
      const wrong = want.findIndex((w, i) => !(Math.abs(buffers[name]![i]! - w) <= (launch.bound ?? 0)));
      expect(wrong < 0 ? 'right' : `element ${wrong}: ${buffers[name]![wrong]}, expected ${want[wrong]}`, name).toBe(
        'right',
      );
    }
  });

  test('without its barriers has races', () => {
    const { races } = lockstep(launch, (code) => code.replaceAll('workgroupBarrier();', ''));
    expect(races.length).toBeGreaterThan(0);
  });
});
