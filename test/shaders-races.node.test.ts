import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';
import { loadWgsl } from '../src/build/wgsl.ts';
import { specialize } from '../src/gpu/specialize.ts';
import { build, type Dense } from './reference/dense.ts';
import * as distances from './reference/lp-distance.ts';
import { matmul } from './reference/matmul.ts';

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
  /** Functions of several lines with a body of one expression that does the same: see `inlined`. */
  bodies?: Record<string, string>;
}

const numbers = (n: number, f: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => f(i));
const floats = (n: number, f: (i: number) => number): Float32Array<ArrayBuffer> => Float32Array.from(numbers(n, f));

/** Small integers, whose sums are exact. */
const integers = (shape: readonly number[], seed: number): Dense => build(shape, (i) => ((i * 7 + seed) % 11) - 5);
const words = (v: Dense): Float32Array<ArrayBuffer> => Float32Array.from(v.data);

/** A tile of 16 x 16 outputs and four terms a step. */
const TINY = { LANES_X: 4, LANES_Y: 4, LANES: 16, TILE_QUADS: 1, LOADS_A: 1, LOADS_B: 1 };

/** Products of ragged sizes, two tiles down and across, in every layout. */
function products(transposeA: boolean, transposeB: boolean): Launch[] {
  const [m, n, k] = [18, 17, 10];
  const a = integers(transposeA ? [k, m] : [m, k], 1);
  const b = integers(transposeB ? [n, k] : [k, n], 2);
  const none = [0, 0, 0, 0];
  const common = {
    shader: 'matmul',
    params: {
      ...{ m, n, k, chunk: k, span: k, parts: 1, batch: 1 },
      ...{ first: [0, 0, 0], shape: [1, 1, 1, 1], batchA: none, batchB: none },
    },
    groups: [2, 2, 1],
  };
  const variant = { ...TINY, A_T: Number(transposeA), B_T: Number(transposeB) };
  const buffers = { a: words(a), b: words(b), extra: floats(1, () => 0), y: floats(m * n, () => NaN) };
  const y = Array.from(matmul(a, b, transposeA, transposeB).data);
  const sumOfRow = (row: number): number =>
    numbers(k, (j) => a.data[transposeA ? j * m + row : row * k + j]!).reduce((s, v) => s + v, 0);
  return [
    { ...common, entry: 'tiled', variant, buffers, expected: { y } },
    {
      ...common,
      entry: 'tiledWithRowSum',
      variant: { ...variant, ROW_SUM: 1 },
      buffers: { ...buffers, rowSum: floats(m, () => NaN) },
      expected: { y, rowSum: numbers(m, sumOfRow) },
    },
  ];
}

/** Distances of 18 rows to 17, with 10 features, and the gradient at p = infinity. */
function distanceLaunches(): Launch[] {
  const [m, n, k] = [18, 17, 10];
  const [x, w, dy] = [integers([m, k], 1), integers([n, k], 2), integers([m, n], 3)];
  const none = floats(1, () => 0);
  const wild = new Uint32Array(1);
  const bodies = { raised: 'return t * t;', root: 'return sqrt(s);' };
  const square = { SQUARINGS: 1, power_: 'return params.p;' };
  const [y2, largest] = [distances.lpDistance(x, w, 2), distances.lpDistance(x, w, Infinity)];
  const shared = { exponent: none, distance_: none, dy: none, wild, index: new Uint32Array(m * n) };
  const params = { m, n, k, p: 2, first: [0, 0, 0] };
  const common = { shader: 'lp-distance', params, groups: [2, 2, 1] };
  const buffers = { ...shared, x: words(x), w: words(w), y: floats(m * n, () => NaN) };
  // The step of four terms in which the largest is first found.
  const step = (i: number): number => {
    const [row, col] = [Math.floor(i / n), i % n];
    const at = numbers(k, (j) => Math.abs(x.data[row * k + j]! - w.data[col * k + j]!)).indexOf(largest.data[i]!);
    return at - (at % 4);
  };
  // Terms go to features with both signs; many to one.
  const index = Uint32Array.from({ length: m * n }, (_, i) => (((i * 3) % 7) | (i % 3 === 0 ? 0x80000000 : 0)) >>> 0);
  const gathered = (row: number, feature: number): number =>
    numbers(n, (col) => row * n + col)
      .filter((i) => (i * 3) % 7 === feature)
      .reduce((s, i) => s + (i % 3 === 0 ? -1 : 1) * dy.data[i]!, 0);
  return [
    {
      ...{ ...common, entry: 'tiled', variant: { ...TINY, ...square }, bodies, buffers },
      expected: { y: [...y2.data] },
      bound: 1e-5,
    },
    {
      ...common,
      entry: 'tiledIndexed',
      variant: { ...TINY, INDEXED: 1 },
      buffers,
      expected: { y: [...largest.data], index: numbers(m * n, step) },
    },
    { ...common, entry: 'tiledLargest', variant: TINY, buffers, expected: { y: [...largest.data] } },
    {
      ...common,
      entry: 'gatherLargest',
      variant: {},
      params: { ...params, n: k, k: n },
      buffers: { ...buffers, index, distance_: words(largest), dy: words(dy), y: floats(m * k, () => NaN) },
      groups: [m],
      expected: { y: numbers(m * k, (i) => gathered(Math.floor(i / k), i % k)) },
    },
  ];
}

const TABLE: Launch[] = [
  ...products(false, false),
  ...products(true, false),
  ...products(false, true),
  ...products(true, true),
  ...distanceLaunches(),
];

/** An argument in the place of a parameter; one that takes no brackets has none, as the lockstep run then needs. */
function inBrackets(value: string | undefined): string | undefined {
  return value === undefined || /^[\w.]+(\[\w+\])?$/.test(value) ? value : `(${value})`;
}

/**
 * Code with the calls of functions of one expression written out: the lockstep run keeps what a call returned at its
 * place in the code, where the lanes share it. Others may be called with what all lanes agree on.
 */
function inlined(code: string): string {
  const found = /^fn (\w+)\(([^)]*)\)[^{]*\{\s*return ([^;]*);\s*\}.*\n/m.exec(code);
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
      rest.slice(0, at) + `(${body.replace(/(?<!\.)\b\w+/g, (w) => inBrackets(values.get(w)) ?? w)})` + rest.slice(end);
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

/** Code with the types that aliases stand for: the lockstep run does not see through them in an array of a struct. */
function unaliased(code: string): string {
  for (const [line, name, type] of code.matchAll(/^alias (\w+) = (.*?);.*\n/gm))
    code = code.replace(line, '').replace(new RegExp(`\\b${name}\\b`, 'g'), type!);
  return code;
}

function withBody(code: string, name: string, body: string): string {
  const start = code.indexOf('{', code.indexOf(`fn ${name}(`)) + 1;
  let end = start;
  for (let depth = 1; depth > 0; end++) depth += Number(code[end] === '{') - Number(code[end] === '}');
  return `${code.slice(0, start)} ${body} ${code.slice(end - 1)}`;
}

/** Runs a launch in lockstep; `code` may have been changed. Buffers are copied first. */
function lockstep(
  { shader, entry, variant, params, buffers, groups, bodies = {} }: Launch,
  change: (code: string) => string = (code) => code,
) {
  const { module } = loadWgsl(resolve(import.meta.dirname, `../shaders/${shader}.wgsl`));
  const { code, overrides } = specialize(module.code, variant);
  const short = Object.entries(bodies).reduce((text, [name, body]) => withBody(text, name, body), code);
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
    inlined(clamped(unaliased(change(short)), buffers)),
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
