// The operands of a product, loaded into the register blocks of lib/gemm.wgsl. The shader that uses this has Params with
// m, n and k, the variants A_T, B_T and RAGGED_K, and readA(i) and readB(i): four consecutive elements from index i.
// Rows and columns past the edge repeat the last one and are not stored; terms past the end count as zero.

// A[row0 + i, k .. k+3] for the rows of the block of the invocation at x. A is stored (M, K), or (K, M) if A_T, from `at` on.
fn loadA(at: u32, x: u32, row0: u32, k: u32, end: u32, tile: ptr<function, array<vec4f, BLOCK_M>>) {
  let first = row0 + firstLoaded(x);
  if (A_T == 0u) {
    for (var i = 0u; i < LOADED; i++) { // unroll
      tile[i] = readA(at + min(first + i, params.m - 1u) * params.k + k);
    }
  } else {
    let last = params.k - 1u;
    for (var i = 0u; i < LOADED4; i++) { // unroll
      let row = at + first + i * 4u;
      let t = transpose4(
        readA(k * params.m + row),
        readA(min(k + 1u, last) * params.m + row),
        readA(min(k + 2u, last) * params.m + row),
        readA(min(k + 3u, last) * params.m + row),
      );
      tile[i * 4u] = t[0];
      tile[i * 4u + 1u] = t[1];
      tile[i * 4u + 2u] = t[2];
      tile[i * 4u + 3u] = t[3];
    }
  }
  if (RAGGED_K == 1u) {
    let inside = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(end);
    for (var i = 0u; i < LOADED; i++) { // unroll
      tile[i] = select(vec4f(), tile[i], inside);
    }
  }
  exchange(tile);
}

// B[k + kk, col0 + 4 j ..] at tile[kk * BLOCK_N4 + j]. B is stored (K, N), or (N, K) if B_T, from `at` on.
fn loadB(at: u32, col0: u32, k: u32, tile: ptr<function, array<vec4f, BLOCK_N>>) {
  let last = select(params.n, params.k, B_T == 0u) - 1u;
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    if (B_T == 0u) {
      for (var kk = 0u; kk < 4u; kk++) { // unroll
        tile[kk * BLOCK_N4 + j] = readB(at + min(k + kk, last) * params.n + col0 + j * 4u);
      }
    } else {
      let col = col0 + j * 4u;
      let row = at + k;
      let t = transpose4(
        readB(row + min(col, last) * params.k),
        readB(row + min(col + 1u, last) * params.k),
        readB(row + min(col + 2u, last) * params.k),
        readB(row + min(col + 3u, last) * params.k),
      );
      for (var kk = 0u; kk < 4u; kk++) { // unroll
        // A is zero past the end, but zero times a stray NaN is not.
        tile[kk * BLOCK_N4 + j] = select(t[kk], vec4f(), RAGGED_K == 1u && k + kk >= params.k);
      }
    }
  }
}
