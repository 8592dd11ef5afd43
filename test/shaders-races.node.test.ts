import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';
import { loadWgsl } from '../src/build/wgsl.ts';
import { specialize } from '../src/gpu/specialize.ts';

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
const words = (n: number, f: (i: number) => number): Uint32Array<ArrayBuffer> => Uint32Array.from(numbers(n, f));

const running = numbers(600, (i) => (i * 7) % 11);
const before = (l: number): number => running.slice(0, l).reduce((a, b) => a + b, 0);

/** Places of the 40 largest of (7 i) mod 11, i < 50, equal ones in order. */
const ranked = numbers(50, (i) => i)
  .sort((i, j) => ((j * 7) % 11) - ((i * 7) % 11) || i - j)
  .slice(0, 40);

const TABLE: Launch[] = [
  {
    shader: 'cumsum',
    entry: 'shared_',
    variant: { EXCLUSIVE: 1 },
    params: { outer: 1, length: 600, inner: 1, chunk: 600, parts: 1 },
    buffers: { x: Float32Array.from(running), before: floats(1, () => 0), y: floats(600, () => NaN) },
    groups: [1],
    expected: { y: numbers(600, before) },
  },
  {
    shader: 'cumsum',
    entry: 'shared_',
    variant: { TOTALS: 1, REVERSE: 1 },
    params: { outer: 1, length: 600, inner: 1, chunk: 512, parts: 2 },
    buffers: { x: Float32Array.from(running), before: floats(1, () => 0), y: floats(2, () => NaN) },
    groups: [2],
    expected: { y: [before(600) - before(88), before(88)] },
  },
  {
    // The second row of workgroups of a folded grid.
    shader: 'cumsum',
    entry: 'shared_',
    variant: {},
    params: { outer: 32_769, length: 9, inner: 1, chunk: 9, parts: 1 },
    buffers: { x: floats(9 * 32_769, () => 1), before: floats(1, () => 0), y: floats(9 * 32_769, () => 0) },
    groups: [1, 2],
    expected: { y: numbers(9 * 32_769, (i) => (i < 9 || i >= 9 * 32_768 ? (i % 9) + 1 : 0)) },
  },
  {
    shader: 'sort',
    entry: 'runs',
    variant: { RUN: 64, FIRST: 1, DESCENDING: 1 },
    params: { outer: 1, length: 50, inner: 1, width: 64, keep: 40, next: 40 },
    buffers: {
      x: words(50, (i) => (i * 7) % 11),
      indexOf: words(1, () => 0),
      y: words(40, () => 99),
      index: words(40, () => 99),
    },
    groups: [1],
    expected: { y: ranked.map((i) => (i * 7) % 11), index: ranked },
  },
  {
    shader: 'histogram',
    entry: 'weightedShared',
    variant: {},
    params: { size: 70, bins: 5, chunk: 70, parts: 1 },
    buffers: { labels: words(70, (i) => i % 7), weights: floats(70, (i) => i), sums: floats(5, () => 0) },
    groups: [1],
    expected: { sums: numbers(5, (c) => numbers(70, (i) => (i % 7 === c ? i : 0)).reduce((a, b) => a + b, 0)) },
  },
  {
    shader: 'strided',
    entry: 'transpose',
    variant: { RANK: 2 },
    params: {
      size: 20 * 40,
      offset: 0,
      toOffset: 0,
      shape: [20, 40],
      stride: [1, 20],
      toStride: [40, 1],
    },
    buffers: { x: words(800, (i) => i), y: words(800, () => 0) },
    groups: [2],
    expected: { y: numbers(800, (i) => (i % 40) * 20 + Math.floor(i / 40)) },
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
  const result = detectRaces(inlined(change(code)), entry, [...groups], { 0: bound }, { constants: overrides });
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
