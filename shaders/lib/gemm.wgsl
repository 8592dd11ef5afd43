// The register block of a matrix product: every invocation keeps BLOCK_M x BLOCK_N sums and takes four k at a time.
// No shared memory and no barrier: reuse happens in registers, which a software adapter needs and a GPU's cache allows.

const BLOCK_M = 4u; // variant
const BLOCK_M4 = 1u; // variant
const BLOCK_N4 = 1u; // variant
override GROUP_X: u32 = 8u;
override GROUP_Y: u32 = 8u;
// Rows that an invocation loads itself, and a quarter of them: all of its block, or where four neighbours along x share
// their rows (src/gpu/tiles.ts) its part of them, which `exchange` then gives to the others.
const LOADED = 4u; // variant
const LOADED4 = 1u; // variant
const BLOCK_N = BLOCK_N4 * 4u;
const SUMS = BLOCK_M * BLOCK_N4;

// The first of the rows of its block that the invocation at x loads.
fn firstLoaded(x: u32) -> u32 { return 0u; } // variant
// The first column of the neighbours: they stay or leave together.
fn leaderOf(col: u32) -> u32 { return col; } // variant
fn exchange(tile: ptr<function, array<vec4f, BLOCK_M>>) { return; } // variant

// acc[i][j] += sum over four k of a[i][k] * b[k][j];  a[i] runs along k, b[k * BLOCK_N4 + j] runs along columns.
// A sum takes its four terms one after the other, so that it stays in a register meanwhile.
fn multiplyAdd(
  a: ptr<function, array<vec4f, BLOCK_M>>,
  b: ptr<function, array<vec4f, BLOCK_N>>,
  acc: ptr<function, array<vec4f, SUMS>>,
) {
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    for (var j = 0u; j < BLOCK_N4; j++) { // unroll
      var sum = acc[i * BLOCK_N4 + j];
      for (var k = 0u; k < 4u; k++) { // unroll
        sum = fma(vec4f(a[i][k]), b[k * BLOCK_N4 + j], sum);
      }
      acc[i * BLOCK_N4 + j] = sum;
    }
  }
}

// Zeros for the terms from `end` on: A is zero there, but zero times an infinity is not.
fn endAt(end: u32, k: u32, b: ptr<function, array<vec4f, BLOCK_N>>) {
  if (k + 4u > end) {
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        b[kk * BLOCK_N4 + j] = select(b[kk * BLOCK_N4 + j], vec4f(), k + kk >= end);
      }
    }
  }
}

// Four columns from four rows along k: the transpose that a B stored as (n, k) needs.
fn transpose4(r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f) -> mat4x4f {
  return transpose(mat4x4f(r0, r1, r2, r3));
}
