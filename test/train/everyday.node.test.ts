import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const PROGRAMS = [
  'own loop',
  'own layer',
  'own loss',
  'freeze and fine-tune',
  'two rates',
  'accumulate',
  'gradient penalty',
  'save and resume',
  'stream',
  'evaluate with own metric',
];

test('each of the ten everyday programs has at most 15 lines', () => {
  const source = readFileSync(new URL('./everyday.gpu.test.ts', import.meta.url), 'utf8');
  const bodies = [...source.matchAll(/^test\('(.+)', async \(\) => \{\n([\s\S]*?)^\}\);$/gm)];
  expect(bodies.map(([, name]) => name)).toEqual(PROGRAMS);
  for (const [, name, body] of bodies) {
    const lines = body!.split('\n').filter((line) => line.trim() !== '');
    expect(lines.length, name).toBeGreaterThan(3);
    expect(lines.length, name).toBeLessThanOrEqual(15);
  }
});
