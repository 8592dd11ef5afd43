// The register block of a matrix product: every invocation keeps BLOCK_M x BLOCK_N sums and takes four k at a time.
// No shared memory and no barrier: reuse happens in registers, which a software adapter needs and a GPU's cache allows.

const BLOCK_M = 4u; // variant
const BLOCK_N4 = 1u; // variant
const GROUP_X = 8u; // variant
const GROUP_Y = 8u; // variant
const BLOCK_M4 = 1u; // variant
const BLOCK_N = BLOCK_N4 * 4u;
const SUMS = BLOCK_M * BLOCK_N4;

// acc[i][j] += sum over four k of a[i][k] * b[k][j];  a[i] runs along k, b[k * BLOCK_N4 + j] runs along columns.
fn multiplyAdd(a: ptr<function, array<vec4f, BLOCK_M>>, b: ptr<function, array<vec4f, BLOCK_N>>, acc: ptr<function, array<vec4f, SUMS>>) {
  for (var k = 0u; k < 4u; k++) { // unroll
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        acc[i * BLOCK_N4 + j] += a[i][k] * b[k * BLOCK_N4 + j];
      }
    }
  }
}

// Four columns from four rows along k: the transpose that a B stored as (n, k) needs.
fn transpose4(r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f) -> mat4x4f {
  return transpose(mat4x4f(r0, r1, r2, r3));
}
