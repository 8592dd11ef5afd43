import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { intervalBounds } from '../../src/certify/bounds/interval.ts';
import type { Layer } from '../../src/nn/layer.ts';

const folder = new URL('../../src/nn/', import.meta.url);
const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
/** `readonly kind: 'Linear'` of an interface, and `activation('ReLU', ...)`. */
const kinds = [
  ...new Set(
    sources.flatMap((text) =>
      [...text.matchAll(/readonly kind(?:: | = )((?:'\w+'(?: \| )?)+);|activation\('(\w+)'/g)].flatMap((m) =>
        (m[1] ?? `'${m[2]}'`).split(' | ').map((k) => k.slice(1, -1)),
      ),
    ),
  ),
].sort();
const bounded = ['./bounds.gpu.test.ts', '../nn/sort-net.gpu.test.ts', '../nn/normalize-input.gpu.test.ts']
  .map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'))
  .join('');

test('the layers of evenkeel/nn are found', () => {
  expect(kinds).toEqual(
    expect.arrayContaining([
      'AvgPool2d',
      'ClassScale',
      'Linear',
      'MaxPool2d',
      'NtkLinear',
      'ReLU',
      'Residual',
      'Sequential',
      'Tanh',
    ]),
  );
  expect(kinds.length).toBeGreaterThan(30);
});

test.each(kinds)('%s has a rule, and a test of its bounds', (kind) => {
  const told = (): string => {
    try {
      intervalBounds({ kind } as Layer, null as never);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  // A rule falls over a layer that is none; a kind without one is named.
  if (kind === 'Embedding') expect(told()).toContain('Embedding takes integers');
  else expect(told()).not.toContain('there is no rule');
  // The kind of a layer is the name of its factory.
  expect(bounded).toMatch(new RegExp(`\\b${kind === 'SortDistLinear' ? 'sortNet' : kind}\\(`));
});
