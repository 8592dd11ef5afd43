// The operands of a product, loaded into the register blocks of lib/gemm.wgsl. The shader that uses this has Params
// with m, n and k, the variants A_T, B_T and RAGGED_K, and readA(i) and readB(i): four consecutive elements. Indices
// count what a binding holds, elements or vectors of four: UNIT_A and UNIT_B elements. So nothing is divided in the
// inner loop, where a software adapter pays for a shift as for twenty products.
// Rows and columns past the edge repeat the last one and are not stored; terms past the end are
// -0 in A and 0 in B, which changes no sum.

const UNIT_A = 1u; // variant
const UNIT_B = 1u; // variant
// From one four of terms to the next, where they lie side by side.
const STEP_A = 4u / UNIT_A;
const STEP_B = 4u / UNIT_B;

// Where the rows of the block of the invocation at x begin in A, stored (M, K) from `at` on; if A_T, stored (K, M),
// every fourth. Gives the length of what is stored in a row.
fn placeA(at: u32, x: u32, row0: u32, starts: ptr<function, array<u32, LOADED>>) -> u32 {
  let length = select(params.k, params.m, A_T == 1u) / UNIT_A;
  let first = row0 + firstLoaded(x);
  if (A_T == 0u) {
    for (var i = 0u; i < LOADED; i++) { // unroll
      starts[i] = at + min(first + i, params.m - 1u) * length;
    }
  } else {
    for (var i = 0u; i < LOADED4; i++) { // unroll
      starts[i] = at + (first + i * 4u) / UNIT_A;
    }
  }
  return length;
}

// Four terms from k on; past the end the last one.
fn fourFrom(k: u32) -> vec4u {
  let four = vec4u(k, k + 1u, k + 2u, k + 3u);
  if (RAGGED_K == 1u) { return min(four, vec4u(params.k - 1u)); }
  return four;
}

// A[row, k .. k+3] for these rows; along = k / UNIT_A.
fn loadA(
  starts: ptr<function, array<u32, LOADED>>,
  length: u32,
  k: u32,
  along: u32,
  end: u32,
  tile: ptr<function, array<vec4f, BLOCK_M>>,
) {
  if (A_T == 0u) {
    for (var i = 0u; i < LOADED; i++) { // unroll
      tile[i] = readA(starts[i] + along);
    }
  } else {
    let down = fourFrom(k) * length;
    for (var i = 0u; i < LOADED4; i++) { // unroll
      let t = transpose4(readA(starts[i] + down.x), readA(starts[i] + down.y), readA(starts[i] + down.z),
        readA(starts[i] + down.w));
      tile[i * 4u] = t[0];
      tile[i * 4u + 1u] = t[1];
      tile[i * 4u + 2u] = t[2];
      tile[i * 4u + 3u] = t[3];
    }
  }
  if (RAGGED_K == 1u) {
    let inside = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(end);
    for (var i = 0u; i < LOADED; i++) { // unroll
      tile[i] = select(vec4f(-0.0), tile[i], inside);
    }
  }
  exchange(tile);
}

// Where the columns of a block begin in B, stored (N, K) from `at` on if B_T; else stored (K, N), every fourth. Gives
// as placeA.
fn placeB(at: u32, col0: u32, starts: ptr<function, array<u32, BLOCK_N>>) -> u32 {
  let length = select(params.n, params.k, B_T == 1u) / UNIT_B;
  if (B_T == 0u) {
    for (var j = 0u; j < BLOCK_N4; j++) { // unroll
      starts[j] = at + (col0 + j * 4u) / UNIT_B;
    }
  } else {
    for (var j = 0u; j < BLOCK_N; j++) { // unroll
      starts[j] = at + min(col0 + j, params.n - 1u) * length;
    }
  }
  return length;
}

// B[k + kk, col0 + 4 j ..] at tile[kk * BLOCK_N4 + j]; along = k / UNIT_B.
fn loadB(
  starts: ptr<function, array<u32, BLOCK_N>>,
  length: u32,
  k: u32,
  along: u32,
  tile: ptr<function, array<vec4f, BLOCK_N>>,
) {
  if (B_T == 0u) {
    let down = fourFrom(k) * length;
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        tile[kk * BLOCK_N4 + j] = readB(starts[j] + down[kk]);
      }
    }
    if (RAGGED_K == 1u) { endAt(params.k, k, tile); }
  } else {
    for (var j = 0u; j < BLOCK_N4; j++) { // unroll
      let t = transpose4(readB(starts[j * 4u] + along), readB(starts[j * 4u + 1u] + along),
        readB(starts[j * 4u + 2u] + along), readB(starts[j * 4u + 3u] + along));
      for (var kk = 0u; kk < 4u; kk++) { // unroll
        // As `endAt`.
        tile[kk * BLOCK_N4 + j] = select(t[kk], vec4f(), RAGGED_K == 1u && k + kk >= params.k);
      }
    }
  }
}
