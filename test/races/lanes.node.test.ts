import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';

const lib = readFileSync(resolve(import.meta.dirname, '../../shaders/lib/lanes.wgsl'), 'utf8');
const [, join] = /^fn joinLanes\([^{]*\{\n([^]*?)\n\}$/m.exec(lib)!;

/**
 * A workgroup of 64 lanes that joins its numbers twice, through the body of joinLanes written out: the lockstep run
 * shares between lanes what a call returns. Rows lie one after the other, or side by side as columns.
 */
function kernel(parts: number, columns: boolean, body: string): string {
  const lanes = 2 * parts;
  const rows = 64 / lanes;
  const place = columns ? `t / ${rows}u, t % ${rows}u, ${rows}u` : `t % ${lanes}u, t - t % ${lanes}u, 1u`;
  const inlined = body
    .replace(/p\.(lane|slot|step)/g, '$1')
    .replace(/join\(all, join\((.*), (.*)\)\);/, 'all + ($1 + $2);')
    .replace('return all;', 'own = all;');
  return `const LANES = ${lanes}u;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
var<workgroup> laneSums: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
  let place = vec3u(${place});
  let lane = place.x;
  let slot = place.y;
  let step = place.z;
  let none = 0.0;
  var own = f32(t);
  {
    ${inlined}
  }
  own = own + f32(t);
  {
    ${inlined}
  }
  y[t] = own;
}
`;
}

test.each([
  [1, false],
  [8, false],
  [8, true],
  [32, false],
])('%i parts, columns %s: every lane has the sum of its row, without a race', (parts, columns) => {
  const y = new Float32Array(64);
  const { races, errors } = detectRaces(kernel(parts, columns, join!), 'main', [1], { 0: { 0: y.buffer } });
  expect([...races.map((r) => r.message), ...errors]).toEqual([]);
  const lanes = 2 * parts;
  const rowOf = (t: number): number => (columns ? t % (64 / lanes) : Math.floor(t / lanes));
  const total = (t: number): number => {
    let sum = 0;
    for (let other = 0; other < 64; other++) if (rowOf(other) === rowOf(t)) sum += other;
    return sum;
  };
  expect([...y]).toEqual(Array.from({ length: 64 }, (_, t) => total(t) * (lanes + 1)));
});

test('without its barriers there are races', () => {
  const code = kernel(8, false, join!.replaceAll('workgroupBarrier();', ''));
  expect(detectRaces(code, 'main', [1], { 0: { 0: new Float32Array(64).buffer } }).races.length).toBeGreaterThan(0);
});
