import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';
import { loadWgsl } from '../../src/build/wgsl.ts';
import { specialize } from '../../src/gpu/specialize.ts';

/** One launch of an entry that uses workgroup memory, and what it must give. */
export interface Launch {
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

/** [f(0), .., f(n - 1)]. */
export const numbers = (n: number, f: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => f(i));
/** The same as f32. */
export const floats = (n: number, f: (i: number) => number): Float32Array<ArrayBuffer> =>
  Float32Array.from(numbers(n, f));
/** The same as u32. */
export const words = (n: number, f: (i: number) => number): Uint32Array<ArrayBuffer> => Uint32Array.from(numbers(n, f));

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
  const { module } = loadWgsl(resolve(import.meta.dirname, `../../shaders/${shader}.wgsl`));
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

/** Tests that the launches of a table have no race, are right, and would have races without their barriers. */
export function testRaces(table: readonly Launch[]): void {
  describe.each([...table])('$shader, $entry $variant', (launch) => {
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
}
