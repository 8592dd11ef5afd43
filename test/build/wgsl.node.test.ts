import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import { loadWgsl, minifyWgsl } from '../../src/build/wgsl.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-wgsl-'));
  mkdirSync(join(folder, 'lib'));
  writeFileSync(
    join(folder, 'lib/math.wgsl'),
    `// Some functions.
const HALF = 0.5;
const SIZE = 4u; // variant
const UNUSED = 3.0;
fn halved(v: f32) -> f32 { return v * HALF; }
fn quartered(v: f32) -> f32 { return halved(halved(v)); }
fn unused(v: f32) -> f32 {
  if (v > UNUSED) { return quartered(v); }
  return 0.0;
}
fn onSoftware(v: f32) -> f32 { return v; } // software return quartered(v);
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function codeOf(body: string, more = ''): string {
  const path = join(folder, 'top.wgsl');
  writeFileSync(
    path,
    `// use lib/math.wgsl
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
fn own(v: f32) -> f32 { return v; }
${more}
@compute @workgroup_size(1)
fn forward(@builtin(global_invocation_id) id: vec3u) { y[id.x] = ${body}; }
`,
  );
  return loadWgsl(path).module.code;
}
const declared = (code: string): string[] => [...code.matchAll(/^(?:fn|const) (\w+)/gm)].map((m) => m[1]!);

describe('functions of the library that nothing reaches are left out', () => {
  test.each([
    ['1.0', ['SIZE', 'own', 'forward']],
    ['halved(1.0)', ['HALF', 'SIZE', 'halved', 'own', 'forward']],
    ['quartered(1.0)', ['HALF', 'SIZE', 'halved', 'quartered', 'own', 'forward']],
    ['onSoftware(1.0)', ['HALF', 'SIZE', 'halved', 'quartered', 'onSoftware', 'own', 'forward']],
    ['unused(1.0)', ['HALF', 'SIZE', 'UNUSED', 'halved', 'quartered', 'unused', 'own', 'forward']],
  ])('y = %s', (body, names) => {
    const code = codeOf(body);
    expect(declared(code).sort()).toEqual([...names].sort());
    expect(() => new WgslReflect(code)).not.toThrow();
  });

  test('a shader whose function bodies come at run time keeps all', () => {
    const code = codeOf('apply(1.0)', 'fn apply(v: f32) -> f32 { return v; } // variant');
    expect(declared(code)).toContain('unused');
  });
});

test('spaces go where they part no tokens, and stay in what the run time reads', () => {
  const kept = [
    'const N = 4u;',
    'override MODE: u32 = 0u;',
    'fn op(v: f32) -> f32 { return v * 2.0; } // variant',
    'for (var i = 0u; i < N; i++) { // unroll',
  ];
  const source = `${kept.join('\n')}
    y[i] = x[i] * (a + b) / *p - -c; // why
    if (a - b == c - 1 && i < N) { return; }
    var t: array<f32, 4> = s;
  `;
  expect(minifyWgsl(source).split('\n')).toEqual([
    ...kept,
    'y[i]=x[i]*(a+b) / *p - -c;',
    'if (a-b==c - 1&&i < N){return;}',
    'var t:array<f32,4> = s;',
  ]);
});

test('every shader of the library still parses, with the entry points and names that it uses', () => {
  const shaders = resolve(import.meta.dirname, '../../shaders');
  for (const name of readdirSync(shaders).filter((file) => file.endsWith('.wgsl'))) {
    const { module } = loadWgsl(join(shaders, name));
    const parsed = new WgslReflect(module.code);
    expect(parsed.entry.compute.map((e) => e.name).sort(), name).toEqual(Object.keys(module.entries).sort());
    const names = new Set(parsed.functions.map((f) => f.name));
    const all = [...module.code.matchAll(/^fn (\w+)/gm)].map((m) => m[1]!);
    expect([...names].sort(), name).toEqual([...new Set(all)].sort());
  }
});
