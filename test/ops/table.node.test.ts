import { expect, test } from 'vitest';
import * as ops from 'evenkeel/ops';
import { TABLE, type OpRow } from '../support/op-table.ts';

/** Exports that are no ops of their own: parts of a training step, helpers of ops, and pairs of results. */
const ASIDE = [
  'classTable',
  'countingInvalidLabels',
  'infDistanceBounds',
  'logLoss',
  'nextItems',
  'sortDistanceBounds',
  'stepState',
  'takeBatch',
  'takeInvalidLabels',
  'writeRows',
  'writeState',
];

const times = { none: '-', 1: 'once', any: 'any order' } as const;
const cell = (name: string): string => (name ? `\`${name}\`` : '-');
const line = ({ name, dtypes, gradient, tolerance, tfjs, jax }: OpRow): string =>
  `| \`${name}\` | ${dtypes} | ${times[gradient]} | ${tolerance} | ${cell(tfjs)} | ${cell(jax)} |`;
const lacks = (peer: 'tfjs' | 'jax'): string =>
  TABLE.filter((row) => !row[peer])
    .map(({ name }) => `\`${name}\``)
    .join(', ');

function page(): string {
  return `# Ops

Every op of \`evenkeel/ops\`: the element types of its first tensor, how often it can be differentiated, the class of its error
([tolerances](tolerances.md)), and its counterpart in two other engines for the browser. This page is made from the table in
\`test/support/op-table.ts\`, whose every line a test runs: each element type, the refusal of the others, and gradients of first
and second order.

| op | element types | gradient | error | tfjs-core 4.22 | jax-js 0.1.25 |
|---|---|---|---|---|---|
${TABLE.map(line).join('\n')}

"-" in the last columns: not there under any name; it may still be put together from others.
tfjs-core lacks ${lacks('tfjs')}.
jax-js lacks ${lacks('jax')}.

What they have and evenkeel has not: FFT, \`einsum\`, cumulative products (both); convolution and pooling in three dimensions,
image transforms, recurrent cells (tfjs); \`vmap\`, forward-mode derivatives, and a compiler for chains of ops (jax-js).

f16 is a storage format: \`cast\` goes to and from it on every adapter, and all arithmetic is done in f32.
`;
}

test('every op is in the table, once', () => {
  const names = TABLE.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const exported = Object.entries(ops)
    .filter(([, value]) => typeof value === 'function')
    .map(([name]) => name);
  expect([...names, ...ASIDE].sort()).toEqual(exported.sort());
});

// To write it anew: npx vitest run --config test/vitest.config.ts --project pure test/ops/table -u
test('docs/ops.md is what the table says', () => expect(page()).toMatchFileSnapshot('../../docs/ops.md'));
