import { describe, expect, test } from 'vitest';
import { specialize } from '../../src/gpu/specialize.ts';

const source = [
  'const N = 3u; // variant',
  'const SCALE = 1.5f; // variant',
  'const SIGNED = -2; // variant',
  'const FIXED = 8u;',
  'const TOTAL = N * FIXED;',
  'alias Element = f32; // variant',
  'fn apply(x: f32) -> f32 { return x; } // variant',
  '',
].join('\n');

describe('variants', () => {
  test('a number replaces a constant and keeps its suffix', () => {
    expect(specialize(source, { N: 5 }).code).toContain('const N = 5u;');
    expect(specialize(source, { SCALE: 2 }).code).toContain('const SCALE = 2.0f;');
    expect(specialize(source, { SCALE: 0.25 }).code).toContain('const SCALE = 0.25f;');
    expect(specialize(source, { SIGNED: 7 }).code).toContain('const SIGNED = 7;');
  });
  test('text replaces a function body or a type', () => {
    const { code } = specialize(source, { apply: 'return x * x;', Element: 'vec4f' });
    expect(code).toContain('fn apply(x: f32) -> f32 { return x * x; }');
    expect(code).toContain('alias Element = vec4f;');
  });
  test('constants and products of constants are known', () => {
    expect(specialize(source, {}).constants).toMatchObject({ N: 3, FIXED: 8, TOTAL: 24 });
    expect(specialize(source, { N: 5 }).constants.TOTAL).toBe(40);
  });
  test('a body for software adapters is taken there alone', () => {
    const two = 'fn half(word: u32) -> u32 { return word >> 1u; } // software return (word & ~1u) / 2u;\n';
    expect(specialize(two, {}, 'hardware').code).toBe(two);
    expect(specialize(two, {}, 'software').code).toBe('fn half(word: u32) -> u32 { return (word & ~1u) / 2u; }\n');
  });
  test('without variants the text stays as it is', () => expect(specialize(source, {}).code).toBe(source));
  test('errors', () => {
    expect(() => specialize(source, { M: 1 })).toThrow('shader has no variant declaration M that takes 1');
    expect(() => specialize(source, { FIXED: 1 })).toThrow('shader has no variant declaration FIXED that takes 1');
    expect(() => specialize(source, { apply: 3 })).toThrow('shader has no variant declaration apply that takes 3');
  });
});

describe('unroll', () => {
  const loop = (bound: string, body: string): string =>
    `const N = 2u;\nfor (var i = 0u; i < ${bound}; i++) { // unroll\n${body}\n}\n`;
  test('writes the body out with literals, names that contain the variable untouched', () => {
    expect(specialize(loop('N', 'a[i] = min(i, inside);'), {}).code).toBe(
      'const N = 2u;\n{\na[0u] = min(0u, inside);\n}\n{\na[1u] = min(1u, inside);\n}\n\n',
    );
  });
  test('loops inside loops, and blocks inside', () => {
    const inner = 'for (var j = 0u; j < 2u; j++) { // unroll\nif (i > j) { b[i] += j; }\n}';
    const { code } = specialize(loop('N', inner), {});
    expect(code).not.toContain('unroll');
    for (const text of [
      'if (0u > 0u) { b[0u] += 0u; }',
      'if (0u > 1u) { b[0u] += 1u; }',
      'if (1u > 1u) { b[1u] += 1u; }',
    ])
      expect(code).toContain(text);
  });
  test('a loop without the mark stays', () =>
    expect(specialize('for (var i = 0u; i < N; i++) {\n}\n', {}).code).toContain('for (var i'));
  test('an unknown bound is an error', () =>
    expect(() => specialize(loop('count', 'x'), {})).toThrow('unroll: the bound count is not a known constant'));
});
