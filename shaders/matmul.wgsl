// Y = epilogue(A B), M x N with K terms. A is stored (M, K), or (K, M) if A_T; B is stored (K, N), or (N, K) if B_T.
//   EPILOGUE 0 none | 1 + extra[n] | 2 relu(. + extra[n]) | 3 zero where extra[m, n] <= 0; relu keeps NaN
// Each invocation makes a block of BLOCK_M rows and BLOCK_N columns; grid (N / BLOCK_N, M / BLOCK_M, batch * parts).
// A long sum is one of parts of `chunk` terms, which are added in their order. Layer s of the grid sums the terms in
// [s * span, (s + 1) * span) into y[s]: all of them, in parts if IN_PARTS, or one part; then `combine` adds the layers.
// With BATCHED there are `batch` products over up to four broadcast axes `shape`, the last first; their strides batchA
// and batchB are 0 where an operand repeats.
// use lib/gemm.wgsl
// use lib/operands.wgsl
// use lib/tile.wgsl
// use lib/index.wgsl
// use lib/nan.wgsl

override A_T: u32 = 0u;
override B_T: u32 = 0u;
override EPILOGUE: u32 = 0u;
override RAGGED_K: u32 = 1u;
override BATCHED: u32 = 0u;
override ROW_SUM: u32 = 0u;
override IN_PARTS: u32 = 0u;
alias ElementA = f32; // variant
alias ElementB = f32; // variant
alias ElementY = f32; // variant

// `first` is where a grid in several pieces goes on.
struct Params {
  m: u32,
  n: u32,
  k: u32,
  chunk: u32,
  span: u32,
  parts: u32,
  batch: u32,
  first: vec3u,
  shape: vec4u,
  batchA: vec4u,
  batchB: vec4u,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<ElementA>;
@group(0) @binding(2) var<storage, read> b: array<ElementB>;
@group(0) @binding(3) var<storage, read> extra: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<ElementY>;
@group(0) @binding(5) var<storage, read_write> rowSum: array<f32>;

// Four consecutive elements from where i points.
fn readA(i: u32) -> vec4f { return vec4f(a[i], a[i + 1u], a[i + 2u], a[i + 3u]); } // variant
fn readOneA(i: u32) -> f32 { return a[i]; } // variant
fn readOneB(i: u32) -> f32 { return b[i]; } // variant
fn readB(i: u32) -> vec4f { return vec4f(b[i], b[i + 1u], b[i + 2u], b[i + 3u]); } // variant
fn writeY(i: u32, n: u32, v: vec4f) { // variant
  y[i] = v.x;
  if (n > 1u) { y[i + 1u] = v.y; }
  if (n > 2u) { y[i + 2u] = v.z; }
  if (n > 3u) { y[i + 3u] = v.w; }
}

fn epilogue(row: u32, col: u32, v: ptr<function, vec4f>) {
  if (EPILOGUE == 3u) {
    let at = row * params.n + col;
    *v = select(vec4f(), *v, passes4(vec4f(extra[at], extra[at + 1u], extra[at + 2u], extra[at + 3u])));
  } else if (EPILOGUE > 0u) {
    *v += vec4f(extra[col], extra[col + 1u], extra[col + 2u], extra[col + 3u]);
    if (EPILOGUE == 2u) { *v = orNan4(max(*v, vec4f()), *v); }
  }
}

// Where A and B of an item of the batch begin.
fn beginOf(item: u32) -> vec2u {
  if (BATCHED == 0u) { return vec2u(); }
  let s = params.shape;
  let at = vec4u(item % s.x, item / s.x % s.y, item / (s.x * s.y) % s.z, item / (s.x * s.y * s.z));
  return vec2u(dot(at, params.batchA) / UNIT_A, dot(at, params.batchB) / UNIT_B);
}

// `at`: the first row, the first column and the layer, which counts the matrices of y: one for each item of the batch,
// or for each part and item. `step`: from four rows or columns to the next. The loop is not unrolled, and runs over a
// copy, so that the sums themselves stay in registers: stores are rare, and unrolled they are half the code.
fn store(at: vec3u, step: vec2u, acc: ptr<function, array<vec4f, SUMS>>) {
  var sums = *acc;
  for (var i = 0u; i < BLOCK_M; i++) {
    let row = at.x + i / 4u * step.x + i % 4u;
    if (row >= params.m) { break; }
    for (var j = 0u; j < BLOCK_N4; j++) {
      let col = at.y + j * step.y;
      if (col < params.n) {
        var sum = sums[i * BLOCK_N4 + j];
        epilogue(row, col, &sum);
        writeY((at.z * params.m + row) * params.n + col, params.n - col, sum);
      }
    }
  }
}

// acc = the sums of the block at (row0, col0) over the terms start .. end; x is the invocation's place in its row.
fn sumTerms(begin: vec2u, x: u32, row0: u32, col0: u32, start: u32, end: u32, acc: ptr<function, array<vec4f, SUMS>>) {
  var startsA: array<u32, LOADED>;
  var startsB: array<u32, BLOCK_N>;
  let lengthA = placeA(begin.x, x, row0, &startsA);
  let lengthB = placeB(begin.y, col0, &startsB);
  var alongA = start / UNIT_A;
  var alongB = start / UNIT_B;
  for (var k = start; k < end; k += 4u) {
    var blockA: array<vec4f, BLOCK_M>;
    var blockB: array<vec4f, BLOCK_N>;
    loadA(&startsA, lengthA, k, alongA, end, &blockA);
    loadB(&startsB, lengthB, k, alongB, &blockB);
    multiplyAdd(&blockA, &blockB, acc);
    alongA += STEP_A;
    alongB += STEP_B;
  }
}

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let place = id + params.first;
  let row0 = place.y * BLOCK_M;
  let col0 = place.x * BLOCK_N;
  if (row0 >= params.m || leaderOf(col0) >= params.n) { return; }
  let start = place.z / params.batch * params.span;
  let end = min(start + params.span, params.k);
  let begin = beginOf(place.z % params.batch);
  var acc: array<vec4f, SUMS>;
  if (IN_PARTS == 0u) { sumTerms(begin, id.x, row0, col0, start, end, &acc); }
  else {
    // Cleared by hand: declared in the loop, it would keep its values on SwiftShader.
    var part: array<vec4f, SUMS>;
    for (var k = start; k < end; k += params.chunk) {
      sumTerms(begin, id.x, row0, col0, k, min(k + params.chunk, end), &part);
      for (var i = 0u; i < SUMS; i++) { // unroll
        acc[i] += part[i];
        part[i] = vec4f();
      }
    }
  }
  store(vec3u(row0, col0, place.z), vec2u(4u), &acc);
}

// The same for one matrix, and rowSum[m] = sum over k of A[m, k]: for A = dY^T that is the gradient of the bias.
@compute @workgroup_size(GROUP_X, GROUP_Y)
fn forwardWithRowSum(@builtin(global_invocation_id) id: vec3u) {
  let place = id + params.first;
  let row0 = place.y * BLOCK_M;
  let col0 = place.x * BLOCK_N;
  // The sums are wanted even when y has no columns.
  if (row0 >= params.m || leaderOf(col0) >= max(params.n, 1u)) { return; }
  var acc: array<vec4f, SUMS>;
  sumTerms(vec2u(), id.x, row0, col0, 0u, params.k, &acc);
  store(vec3u(row0, col0, 0u), vec2u(4u), &acc);
  // The first of the blocks side by side, with its neighbours, reads A a second time, which costs little; the loop
  // above stays short.
  if (leaderOf(col0) > 0u) { return; }
  var startsA: array<u32, LOADED>;
  let lengthA = placeA(0u, id.x, row0, &startsA);
  var sums: array<vec4f, BLOCK_M>;
  var alongA = 0u;
  for (var k = 0u; k < params.k; k += 4u) {
    var blockA: array<vec4f, BLOCK_M>;
    loadA(&startsA, lengthA, k, alongA, params.k, &blockA);
    alongA += STEP_A;
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      sums[i] += blockA[i];
    }
  }
  if (col0 > 0u) { return; }
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    if (row0 + i < params.m) { rowSum[row0 + i] = dot(sums[i], vec4f(1.0)); }
  }
}

// What lib/tile.wgsl asks for: where a vector lies at the first term, and which term that is.
alias PlaceA = vec2u;
alias PlaceB = vec2u;
fn seekA(row: u32, k: u32, layer: u32) -> vec2u {
  return vec2u(beginOf(layer % params.batch).x
    + select(min(row, params.m - 1u) * params.k + k, k * params.m + row, A_T == 1u) / UNIT_A, k);
}
fn seekB(k: u32, col: u32, layer: u32) -> vec2u {
  return vec2u(beginOf(layer % params.batch).y
    + select(k * params.n + col, min(col, params.n - 1u) * params.k + k, B_T == 1u) / UNIT_B, k);
}
fn fetchA(place: vec2u, k0: u32, end: u32) -> vec4f {
  return select(vec4f(-0.0), readA(place.x + k0 * select(1u, params.m, A_T == 1u) / UNIT_A),
    inside(place.y + k0, A_T == 0u, end));
}
fn fetchB(place: vec2u, k0: u32, end: u32) -> vec4f {
  return select(vec4f(), readB(place.x + k0 * select(params.n, 1u, B_T == 1u) / UNIT_B),
    inside(place.y + k0, B_T == 1u, end));
}
fn inside(k: u32, alongTerms: bool, end: u32) -> vec4<bool> {
  return vec4u(k) + select(vec4u(), vec4u(0u, 1u, 2u, 3u), alongTerms && RAGGED_K == 1u) < vec4u(end);
}

// The tile of a workgroup, stored. If ROW_SUM the first of the tiles side by side also gives the sums over the terms of
// row t of the tile, every fourth in a sum of its own.
fn sumTile(t: u32, tile: vec3u, rowSums: ptr<function, vec4f>) {
  var places: Places;
  var next: Vectors;
  var acc: array<vec4f, SUMS>;
  let start = tile.z / params.batch * params.span;
  let end = min(start + params.span, params.k);
  let sumsRows = ROW_SUM == 1u && tile.y == 0u && t < TILE_M;
  seekTile(t, tile, &places);
  fetchTile(&places, start, end, &next);
  for (var k0 = start; k0 < end; k0 += TILE_K) {
    stageTile(t, &next);
    workgroupBarrier();
    if (k0 + TILE_K < end) { fetchTile(&places, k0 + TILE_K, end, &next); }
    if (LANES == LANES_X * LANES_Y || t < LANES_X * LANES_Y) {
      for (var q = 0u; q < TILE_QUADS; q++) {
        var blockA: array<vec4f, ROWS>;
        var blockB: array<vec4f, BLOCK_N>;
        blocksOfTile(t, q, &blockA, &blockB);
        multiplyAdd(&blockA, &blockB, &acc);
      }
    }
    if (sumsRows) {
      for (var q = 0u; q < TILE_QUADS; q++) { addTerms(t, q, rowSums); }
    }
    workgroupBarrier();
  }
  if (LANES == LANES_X * LANES_Y || t < LANES_X * LANES_Y) {
    store(tile + vec3u(t / LANES_X * 4u, t % LANES_X * 4u, 0u), 4u * vec2u(LANES_Y, LANES_X), &acc);
  }
}

// forward by workgroups; grid (LANES N / TILE_N, M / TILE_M, batch * parts).
@compute @workgroup_size(LANES)
fn tiled(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  var none: vec4f;
  sumTile(t, (id + params.first).yxz * vec3u(TILE_M, TILE_N, 1u), &none);
}

@compute @workgroup_size(LANES)
fn tiledWithRowSum(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let tile = (id + params.first).yxz * vec3u(TILE_M, TILE_N, 1u);
  var sums: vec4f;
  sumTile(t, tile, &sums);
  if (tile.y == 0u && t < TILE_M && tile.x + t < params.m) { rowSum[tile.x + t] = dot(sums, vec4f(1.0)); }
}

// forward in little code, which compiles fast: blocks of 4 x 4, one term at a time, elements read one by one. The
// same bits.
fn simple(place: vec3u, rows: ptr<function, vec4u>) -> mat4x4f {
  let stepA = select(1u, params.m, A_T == 1u);
  let stepB = select(params.n, 1u, B_T == 1u);
  let begin = beginOf(place.z % params.batch);
  let start = place.z / params.batch * params.span;
  *rows = begin.x + min(place.y * 4u + vec4u(0u, 1u, 2u, 3u), vec4u(params.m - 1u)) * select(params.k, 1u, A_T == 1u);
  var a4 = *rows + start * stepA;
  var b4 = begin.y + min(place.x * 4u + vec4u(0u, 1u, 2u, 3u), vec4u(max(params.n, 1u) - 1u))
    * select(1u, params.k, B_T == 1u) + start * stepB;
  var acc: mat4x4f;
  var parts: mat4x4f;
  for (var k = start; k < min(start + params.span, params.k); k++) {
    if (IN_PARTS == 1u && k > start && (k - start) % params.chunk == 0u) {
      parts += acc;
      acc = mat4x4f();
    }
    let v = vec4f(readOneB(b4.x), readOneB(b4.y), readOneB(b4.z), readOneB(b4.w));
    acc = mat4x4f(fma(vec4f(readOneA(a4.x)), v, acc[0]), fma(vec4f(readOneA(a4.y)), v, acc[1]),
      fma(vec4f(readOneA(a4.z)), v, acc[2]), fma(vec4f(readOneA(a4.w)), v, acc[3]));
    a4 += stepA;
    b4 += stepB;
  }
  if (IN_PARTS == 1u) { return parts + acc; }
  return acc;
}

fn storeSimple(place: vec3u, acc: mat4x4f) {
  var sums = acc;
  let col = place.x * 4u;
  for (var i = 0u; i < min(4u, params.m - place.y * 4u); i++) {
    let row = place.y * 4u + i;
    var sum = sums[i];
    epilogue(row, col, &sum);
    writeY((place.z * params.m + row) * params.n + col, params.n - col, sum);
  }
}

@compute @workgroup_size(8, 8)
fn quick(@builtin(global_invocation_id) id: vec3u) {
  if (id.y * 4u >= params.m || id.x * 4u >= params.n) { return; }
  var rows: vec4u;
  storeSimple(id, simple(id, &rows));
}

@compute @workgroup_size(8, 8)
fn quickWithRowSum(@builtin(global_invocation_id) id: vec3u) {
  if (id.y * 4u >= params.m || id.x * 4u >= max(params.n, 1u)) { return; }
  var rows: vec4u;
  let acc = simple(id, &rows);
  if (params.n > 0u) { storeSimple(id, acc); }
  if (id.x > 0u) { return; }
  // Every fourth term in a sum of its own, as forwardWithRowSum adds.
  for (var i = 0u; i < min(4u, params.m - id.y * 4u); i++) {
    var sums = vec4f();
    var at = rows[i];
    for (var k = 0u; k < params.k; k++) {
      sums += select(vec4f(), vec4f(readOneA(at)), vec4u(k & 3u) == vec4u(0u, 1u, 2u, 3u));
      at += select(1u, params.m, A_T == 1u);
    }
    rowSum[id.y * 4u + i] = dot(sums, vec4f(1.0));
  }
}

// y = epilogue(sum over parts of a[part]); a is (parts, batch, M, N), one invocation per element; grid (batch * M * N).
@compute @workgroup_size(64)
fn combine(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let size = params.batch * params.m * params.n;
  if (i >= size) { return; }
  var sum = 0.0;
  // Four loads on their way at a time; the order of the sum is that of the parts.
  var s = 0u;
  while (s + 4u <= params.parts) {
    let at = s * size + i;
    let part = vec4f(readOneA(at), readOneA(at + size), readOneA(at + 2u * size), readOneA(at + 3u * size));
    sum = sum + part.x + part.y + part.z + part.w;
    s += 4u;
  }
  while (s < params.parts) {
    sum += readOneA(s * size + i);
    s += 1u;
  }
  var v = vec4f(sum);
  epilogue(i / params.n, i % params.n, &v);
  writeY(i, 1u, v);
}
