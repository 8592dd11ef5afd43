// Distances of the rows of x: (M, K) to the rows of w: (N, K).
//   forward          y[m, n] = (sum_k |x[m, k] - w[n, k]|^p)^(1/p)
//   forwardLargest   y[m, n] = max_k |x[m, k] - w[n, k]|, p = infinity; forwardIndexed also notes where it was found
//   backward         dx[m, k] = sum_n dy[m, n] (|t| / y[m, n])^(p-1) sign(t), t = x[m, k] - w[n, k]; dw alike
//   backwardLargest  dy goes to the coordinate of the largest term, with its sign; gatherLargest the same
// A distance with a term that is NaN is NaN, and so is its gradient: at p = infinity that of the first such term, else
// of all. Blocked as in lib/gemm.wgsl: the sums of a product with another inner operation. Grid (N / BLOCK_N, M /
// BLOCK_M), or, for the entries of lib/tile.wgsl named tiled, (LANES N / TILE_N, M / TILE_M). Both give the same bits.
// use lib/gemm.wgsl
// use lib/operands.wgsl
// use lib/tile.wgsl
// use lib/index.wgsl
// use lib/nan.wgsl
// use lib/powers.wgsl

override A_T: u32 = 0u;
override B_T: u32 = 1u;
override RAGGED_K: u32 = 1u;
// Terms are divided by the largest of them before they are raised to p, so that nothing overflows or vanishes.
override NORMALISED: u32 = 0u;
// The term that is maximised: 0 |x - w| | 1 x - w | 2 w - x, the latter two from zero upwards. A maximum is kept as
// numbers or, which is faster without a GPU, as their bits, which order as the numbers do from zero upwards.
override DIRECTION: u32 = 0u;
alias Maxima = vec4f; // variant
// 1: the sums or maxima may pass over NaN. Then `wild` is not 0 where x or w holds a NaN or an infinity, and terms are
// looked at.
override WATCHED: u32 = 0u;
// What a tile holds: 0 rows of x and of w | 1 for backward: 1 / distance and dy, and rows of w.
override BACKWARD: u32 = 0u;
// Whether tiledLargest notes where.
override INDEXED: u32 = 0u;
// Terms among which `index` names the largest.
override SPAN: u32 = 4u;
alias ElementA = f32; // variant
alias ElementB = f32; // variant
alias ElementY = f32; // variant

// `first` is where a grid in several pieces goes on.
struct Params { m: u32, n: u32, k: u32, p: f32, first: vec3u }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<ElementA>;
@group(0) @binding(2) var<storage, read> w: array<ElementB>;
@group(0) @binding(3) var<storage, read> exponent: array<f32>;
@group(0) @binding(4) var<storage, read> distance_: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<ElementY>;
@group(0) @binding(7) var<storage, read_write> index: array<u32>;
@group(0) @binding(8) var<storage, read> wild: array<u32>;

fn readA(i: u32) -> vec4f { return vec4f(x[i], x[i + 1u], x[i + 2u], x[i + 3u]); } // variant
fn readB(i: u32) -> vec4f { return vec4f(w[i], w[i + 1u], w[i + 2u], w[i + 3u]); } // variant
fn writeY(i: u32, n: u32, v: vec4f) { // variant
  y[i] = v.x;
  if (n > 1u) { y[i + 1u] = v.y; }
  if (n > 2u) { y[i + 2u] = v.z; }
  if (n > 3u) { y[i + 3u] = v.w; }
}
// p as a number, or on the device.
fn power_() -> f32 { return exponent[0]; } // variant

const SIGN = 0x80000000u;
const NOWHERE = 0xffffffffu;

fn difference(a: f32, b: vec4f) -> vec4f {
  return select(a - b, b - a, DIRECTION == 2u);
}

fn larger(most: Maxima, t: vec4f) -> Maxima { return max(most, select(t, abs(t), DIRECTION == 0u)); } // variant

// acc[i][j] = max(acc[i][j], the terms of four k), one after the other, so that it stays in a register meanwhile.
fn keepLargest(
  a: ptr<function, array<vec4f, BLOCK_M>>,
  b: ptr<function, array<vec4f, BLOCK_N>>,
  acc: ptr<function, array<Maxima, SUMS>>,
) {
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    for (var j = 0u; j < BLOCK_N4; j++) { // unroll
      var most = acc[i * BLOCK_N4 + j];
      for (var k = 0u; k < 4u; k++) { // unroll
        most = larger(most, difference(a[i][k], b[k * BLOCK_N4 + j]));
      }
      acc[i * BLOCK_N4 + j] = most;
    }
  }
}

// The largest terms of a block of outputs.
fn largestOf(
  startsA: ptr<function, array<u32, LOADED>>,
  startsB: ptr<function, array<u32, BLOCK_N>>,
  length: u32,
  acc: ptr<function, array<Maxima, SUMS>>,
) {
  var along = 0u;
  for (var k = 0u; k < params.k; k += 4u) {
    var blockA: array<vec4f, BLOCK_M>;
    var blockB: array<vec4f, BLOCK_N>;
    loadA(startsA, length, k, along, params.k, &blockA);
    loadB(startsB, length, k, along, &blockB);
    keepLargest(&blockA, &blockB, acc);
    along += STEP_A;
  }
}

// `at`: the first row and column of an invocation; `step`: from four rows or columns of it to the next.
fn rowOf(at: vec2u, step: vec2u, i: u32) -> u32 { return at.x + i / 4u * step.x + i % 4u; }

// NaN where a term is: |Infinity - Infinity| too.
fn keepNan(at: vec2u, step: vec2u, acc: ptr<function, array<vec4f, SUMS>>) {
  for (var s = 0u; s < SUMS * 4u; s++) {
    let row = min(rowOf(at, step, s / BLOCK_N), params.m - 1u) * params.k / UNIT_A;
    let col = min(at.y + s % BLOCK_N / 4u * step.y + s % 4u, params.n - 1u) * params.k / UNIT_B;
    for (var k = 0u; k < params.k / UNIT_A; k++) {
      let t = readA(row + k) - readB(col + k);
      let found = isNan(t.x) || (UNIT_A == 4u && any(isNan4(t)));
      if (found) { acc[s / 4u][s % 4u] = bitcast<f32>(0x7fc00000u | wild[0]); }
    }
  }
}

// Rolled, over a copy: see shaders/matmul.wgsl.
fn store(at: vec2u, step: vec2u, acc: ptr<function, array<vec4f, SUMS>>) {
  var sums = *acc;
  if (WATCHED == 1u && wild[0] != 0u) { keepNan(at, step, &sums); }
  for (var i = 0u; i < BLOCK_M; i++) {
    let row = rowOf(at, step, i);
    if (row >= params.m) { break; }
    for (var j = 0u; j < BLOCK_N4; j++) {
      let col = at.y + j * step.y;
      let sum = sums[i * BLOCK_N4 + j];
      if (col < params.n) { writeY(row * params.n + col, params.n - col, sum); }
    }
  }
}

fn storeLargest(at: vec2u, step: vec2u, most: ptr<function, array<Maxima, SUMS>>) {
  var acc: array<vec4f, SUMS>;
  for (var q = 0u; q < SUMS; q++) { // unroll
    acc[q] = bitcast<vec4f>(most[q]);
  }
  store(at, step, &acc);
}

fn storeIndex(at: vec2u, step: vec2u, found: ptr<function, array<vec4u, SUMS>>) {
  var places = *found;
  for (var s = 0u; s < SUMS; s++) {
    let row = rowOf(at, step, s / BLOCK_N4);
    let col = at.y + s % BLOCK_N4 * step.y;
    for (var c = 0u; c < 4u; c++) {
      if (row < params.m && col + c < params.n) { index[row * params.n + col + c] = places[s][c]; }
    }
  }
}

// 1 / the largest terms, or 0.
fn inverseOf(scale: ptr<function, array<Maxima, SUMS>>, inverse: ptr<function, array<vec4f, SUMS>>) {
  for (var q = 0u; q < SUMS; q++) { // unroll
    let most = bitcast<vec4f>(scale[q]);
    inverse[q] = select(vec4f(), 1.0 / most, most > vec4f(1.2e-38));
  }
}

// acc += the powers of four terms.
fn addPowers(
  a: ptr<function, array<vec4f, BLOCK_M>>,
  b: ptr<function, array<vec4f, BLOCK_N>>,
  inverse: ptr<function, array<vec4f, SUMS>>,
  acc: ptr<function, array<vec4f, SUMS>>,
) {
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    for (var j = 0u; j < BLOCK_N4; j++) { // unroll
      var sum = acc[i * BLOCK_N4 + j];
      for (var k = 0u; k < 4u; k++) { // unroll
        var t = a[i][k] - b[k * BLOCK_N4 + j];
        if (NORMALISED == 1u) { t *= inverse[i * BLOCK_N4 + j]; }
        sum += raised(t);
      }
      acc[i * BLOCK_N4 + j] = sum;
    }
  }
}

// The distances from the sums of powers; an infinite largest term stays.
fn rootsOf(scale: ptr<function, array<Maxima, SUMS>>, acc: ptr<function, array<vec4f, SUMS>>) {
  for (var q = 0u; q < SUMS; q++) { // unroll
    acc[q] = root(acc[q]);
    if (NORMALISED == 1u) {
      let most = bitcast<vec4f>(scale[q]);
      acc[q] = select(acc[q] * most, most, bitcast<vec4u>(scale[q]) >= vec4u(0x7f800000u));
    }
  }
}

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let row0 = (id.y + params.first.y) * BLOCK_M;
  let col0 = (id.x + params.first.x) * BLOCK_N;
  if (row0 >= params.m || leaderOf(col0) >= params.n) { return; }
  var startsA: array<u32, LOADED>;
  var startsB: array<u32, BLOCK_N>;
  let length = placeA(0u, id.x, row0, &startsA);
  _ = placeB(0u, col0, &startsB);
  var scale: array<Maxima, SUMS>;
  var inverse: array<vec4f, SUMS>;
  if (NORMALISED == 1u) {
    largestOf(&startsA, &startsB, length, &scale);
    inverseOf(&scale, &inverse);
  }
  var acc: array<vec4f, SUMS>;
  var along = 0u;
  for (var k = 0u; k < params.k; k += 4u) {
    var blockA: array<vec4f, BLOCK_M>;
    var blockB: array<vec4f, BLOCK_N>;
    loadA(&startsA, length, k, along, params.k, &blockA);
    loadB(&startsB, length, k, along, &blockB);
    along += STEP_A;
    addPowers(&blockA, &blockB, &inverse, &acc);
  }
  rootsOf(&scale, &acc);
  store(vec2u(row0, col0), vec2u(4u), &acc);
}

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn forwardLargest(@builtin(global_invocation_id) id: vec3u) {
  let row0 = (id.y + params.first.y) * BLOCK_M;
  let col0 = (id.x + params.first.x) * BLOCK_N;
  if (row0 >= params.m || leaderOf(col0) >= params.n) { return; }
  var startsA: array<u32, LOADED>;
  var startsB: array<u32, BLOCK_N>;
  let length = placeA(0u, id.x, row0, &startsA);
  _ = placeB(0u, col0, &startsB);
  var acc: array<Maxima, SUMS>;
  largestOf(&startsA, &startsB, length, &acc);
  storeLargest(vec2u(row0, col0), vec2u(4u), &acc);
}

// The same, and in `index` the first of the four k among which the largest term was first found.
@compute @workgroup_size(GROUP_X, GROUP_Y)
fn forwardIndexed(@builtin(global_invocation_id) id: vec3u) {
  let row0 = (id.y + params.first.y) * BLOCK_M;
  let col0 = (id.x + params.first.x) * BLOCK_N;
  if (row0 >= params.m || leaderOf(col0) >= params.n) { return; }
  var startsA: array<u32, LOADED>;
  var startsB: array<u32, BLOCK_N>;
  let length = placeA(0u, id.x, row0, &startsA);
  _ = placeB(0u, col0, &startsB);
  var acc: array<Maxima, SUMS>;
  var found: array<vec4u, SUMS>;
  var along = 0u;
  for (var k = 0u; k < params.k; k += 4u) {
    var blockA: array<vec4f, BLOCK_M>;
    var blockB: array<vec4f, BLOCK_N>;
    loadA(&startsA, length, k, along, params.k, &blockA);
    loadB(&startsB, length, k, along, &blockB);
    along += STEP_A;
    var before = acc;
    keepLargest(&blockA, &blockB, &acc);
    for (var q = 0u; q < SUMS; q++) { // unroll
      found[q] = select(found[q], vec4u(k), acc[q] > before[q]);
    }
  }
  storeLargest(vec2u(row0, col0), vec2u(4u), &acc);
  storeIndex(vec2u(row0, col0), vec2u(4u), &found);
}

// Narrows `index` from SPAN terms to the lowest that has the largest term; its top bit is set where the term falls with
// x. One invocation an output; x and w one element at a time; grid (M * N).
@compute @workgroup_size(64)
fn locate(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.m * params.n) { return; }
  let row = i / params.n * params.k;
  let col = i % params.n * params.k;
  let largest = distance_[i];
  // Clears what an earlier call has put there, so that a graph can be walked twice.
  let start = index[i] & ~(SIGN | (SPAN - 1u));
  var at = start;
  if (DIRECTION != 0u && largest == 0.0 && !isNan(largest)) {
    index[i] = NOWHERE;
    return;
  }
  let first = select(start, 0u, isNan(largest));
  for (var k = first; k < select(min(start + SPAN, params.k), params.k, isNan(largest)); k++) {
    let t = difference(readA(row + k).x, vec4f(readB(col + k).x));
    if (isNan(t.x) || (!isNan(largest) && bitcast<vec4f>(larger(Maxima(), t)).x == largest)) {
      at = k;
      break;
    }
  }
  let falls = DIRECTION == 2u || (DIRECTION == 0u && readA(row + at).x < readB(col + at).x);
  index[i] = at | select(0u, SIGN, falls);
}

// y[m, n] = sum_k dy (|t| / distance)^(p-1) sign(t), t = x[m, n] - w[k, n]; dy and distance are (M, K), or (K, M) if
// A_T. With x and w exchanged it gives dw.
@compute @workgroup_size(GROUP_X, GROUP_Y)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let row0 = (id.y + params.first.y) * BLOCK_M;
  let col0 = (id.x + params.first.x) * BLOCK_N;
  if (row0 >= params.m || leaderOf(col0) >= params.n) { return; }
  let inB = vec2u(col0, params.n) / UNIT_B;
  var own: array<vec4f, SUMS>;
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    for (var j = 0u; j < BLOCK_N4; j++) { // unroll
      own[i * BLOCK_N4 + j] = readA(min(row0 + i, params.m - 1u) * (params.n / UNIT_A) + col0 / UNIT_A + j * STEP_A);
    }
  }
  var acc: array<vec4f, SUMS>;
  for (var k = 0u; k < params.k; k++) {
    var other: array<vec4f, BLOCK_N4>;
    for (var j = 0u; j < BLOCK_N4; j++) { // unroll
      other[j] = readB(k * inB.y + inB.x + j * STEP_B);
    }
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      let row = min(row0 + i, params.m - 1u);
      let at = select(row * params.k + k, k * params.m + row, A_T == 1u);
      // A distance of zero has gradient zero.
      let inverse = select(0.0, 1.0 / distance_[at], distance_[at] > 1.2e-38);
      let g = orNan(dy[at], distance_[at]);
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        acc[i * BLOCK_N4 + j] += g * slope((own[i * BLOCK_N4 + j] - other[j]) * inverse);
      }
    }
  }
  store(vec2u(row0, col0), vec2u(4u), &acc);
}

// What lib/tile.wgsl asks for: where a vector lies at the first term, which term that is, and of which operand.
alias PlaceA = vec3u;
alias PlaceB = vec2u;
fn seekA(row: u32, k: u32, layer: u32) -> vec3u {
  return vec3u(select(min(row, params.m - 1u) * params.k + k, k * params.m + row, A_T == 1u)
    / select(UNIT_A, 1u, BACKWARD == 1u), k, layer);
}
fn seekB(k: u32, col: u32, layer: u32) -> vec2u {
  return vec2u(select(min(col, params.n - 1u) * params.k + k, k * params.n + col, BACKWARD == 1u) / UNIT_B, k);
}
fn fetchA(place: vec3u, k0: u32, end: u32) -> vec4f {
  return select(select(vec4f(), readA(place.x + k0 / UNIT_A), inside(place.y + k0, end)),
    gradientsAt(place.x + k0 * select(1u, params.m, A_T == 1u), place.z, insideA(place.y + k0, end)), BACKWARD == 1u);
}
fn fetchB(place: vec2u, k0: u32, end: u32) -> vec4f {
  return select(vec4f(), readB(place.x + k0 * select(1u, params.n, BACKWARD == 1u) / UNIT_B),
    select(inside(place.y + k0, end), vec4<bool>(place.y + k0 < end), BACKWARD == 1u));
}
// 1 / distances, 0 for a distance of zero, which has gradient zero; or the gradients of the distances.
fn gradientsAt(at: u32, operand: u32, terms: vec4<bool>) -> vec4f {
  return select(vec4f(), select(inverses(fourOf(at)), orNan4(slopesAt(at), fourOf(at)), operand == 1u), terms);
}
fn inverses(v: vec4f) -> vec4f { return select(vec4f(), 1.0 / v, v > vec4f(1.2e-38)); }
fn fourOf(at: u32) -> vec4f {
  return vec4f(distance_[at], distance_[at + 1u], distance_[at + 2u], distance_[at + 3u]);
}
fn slopesAt(at: u32) -> vec4f { return vec4f(dy[at], dy[at + 1u], dy[at + 2u], dy[at + 3u]); }
fn insideA(k: u32, end: u32) -> vec4<bool> { return select(inside(k, end), vec4<bool>(k < end), A_T == 1u); }
fn inside(k: u32, end: u32) -> vec4<bool> { return vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(end); }

// The first row and column of an invocation in the tile of its workgroup, and its steps.
fn tileOf(id: vec3u) -> vec3u { return (id + params.first).yxz * vec3u(TILE_M, TILE_N, 0u); }
fn cornerOf(t: u32, tile: vec3u) -> vec2u { return tile.xy + 4u * vec2u(t / LANES_X, t % LANES_X); }
fn tileStep() -> vec2u { return 4u * vec2u(LANES_Y, LANES_X); }
// Whether an invocation sums, or only loads.
fn isSumming(t: u32) -> bool { return LANES == LANES_X * LANES_Y || t < LANES_X * LANES_Y; }

// The rows of the first operand of a tile.
fn ownRows(operands: ptr<function, array<vec4f, ROWS>>, rows: ptr<function, array<vec4f, BLOCK_M>>) {
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    rows[i] = operands[i];
  }
}

// The largest terms of a tile, and the step in which each was first found if INDEXED.
fn largestOfTile(
  t: u32,
  tile: vec3u,
  acc: ptr<function, array<Maxima, SUMS>>,
  found: ptr<function, array<vec4u, SUMS>>,
) {
  var places: Places;
  var next: Vectors;
  seekTile(t, tile, &places);
  fetchTile(&places, 0u, params.k, &next);
  for (var k0 = 0u; k0 < params.k; k0 += TILE_K) {
    stageTile(t, &next);
    workgroupBarrier();
    if (k0 + TILE_K < params.k) { fetchTile(&places, k0 + TILE_K, params.k, &next); }
    if (isSumming(t)) {
      var before: array<Maxima, SUMS>;
      for (var s = 0u; s < SUMS; s++) { // unroll
        before[s] = acc[s];
      }
      for (var q = 0u; q < TILE_QUADS; q++) {
        var blockA: array<vec4f, ROWS>;
        var blockB: array<vec4f, BLOCK_N>;
        blocksOfTile(t, q, &blockA, &blockB);
        var left: array<vec4f, BLOCK_M>;
        ownRows(&blockA, &left);
        keepLargest(&left, &blockB, acc);
      }
      if (INDEXED == 1u) {
        for (var s = 0u; s < SUMS; s++) { // unroll
          found[s] = select(found[s], vec4u(k0), acc[s] > before[s]);
        }
      }
    }
    workgroupBarrier();
  }
}

@compute @workgroup_size(LANES)
fn tiledLargest(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let tile = tileOf(id);
  var acc: array<Maxima, SUMS>;
  var found: array<vec4u, SUMS>;
  largestOfTile(t, tile, &acc, &found);
  if (isSumming(t)) { storeLargest(cornerOf(t, tile), tileStep(), &acc); }
}

@compute @workgroup_size(LANES)
fn tiledIndexed(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let tile = tileOf(id);
  var acc: array<Maxima, SUMS>;
  var found: array<vec4u, SUMS>;
  largestOfTile(t, tile, &acc, &found);
  if (!isSumming(t)) { return; }
  storeLargest(cornerOf(t, tile), tileStep(), &acc);
  storeIndex(cornerOf(t, tile), tileStep(), &found);
}

// forward and backward.
@compute @workgroup_size(LANES)
fn tiled(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let tile = tileOf(id);
  let corner = cornerOf(t, tile);
  var scale: array<Maxima, SUMS>;
  // Of backward: the rows of x.
  var own: array<vec4f, SUMS>;
  var acc: array<vec4f, SUMS>;
  if (BACKWARD == 0u && NORMALISED == 1u) {
    var found: array<vec4u, SUMS>;
    largestOfTile(t, tile, &scale, &found);
    inverseOf(&scale, &own);
  }
  if (BACKWARD == 1u) {
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      let row = min(rowOf(corner, tileStep(), i), params.m - 1u) * params.n;
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        own[i * BLOCK_N4 + j] = readA((row + corner.y + j * tileStep().y) / UNIT_A);
      }
    }
  }
  var places: Places;
  var next: Vectors;
  seekTile(t, tile, &places);
  fetchTile(&places, 0u, params.k, &next);
  for (var k0 = 0u; k0 < params.k; k0 += TILE_K) {
    stageTile(t, &next);
    workgroupBarrier();
    if (k0 + TILE_K < params.k) { fetchTile(&places, k0 + TILE_K, params.k, &next); }
    if (isSumming(t)) {
      for (var q = 0u; q < TILE_QUADS; q++) {
        var blockA: array<vec4f, ROWS>;
        var blockB: array<vec4f, BLOCK_N>;
        blocksOfTile(t, q, &blockA, &blockB);
        if (BACKWARD == 0u) {
          var left: array<vec4f, BLOCK_M>;
          ownRows(&blockA, &left);
          addPowers(&left, &blockB, &own, &acc);
        } else {
          for (var i = 0u; i < BLOCK_M; i++) { // unroll
            for (var k = 0u; k < 4u; k++) { // unroll
              for (var j = 0u; j < BLOCK_N4; j++) { // unroll
                acc[i * BLOCK_N4 + j] += blockA[ROWS - BLOCK_M + i][k]
                  * slope((own[i * BLOCK_N4 + j] - blockB[k * BLOCK_N4 + j]) * blockA[i][k]);
              }
            }
          }
        }
      }
    }
    workgroupBarrier();
  }
  if (!isSumming(t)) { return; }
  if (BACKWARD == 0u) { rootsOf(&scale, &acc); }
  store(corner, tileStep(), &acc);
}

// The gradient at p = infinity, into y: (M, N) filled with zeros; for dw if A_T. One invocation per row; grid (M).
@compute @workgroup_size(64)
fn backwardLargest(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.m) { return; }
  for (var k = 0u; k < params.k; k++) {
    let at = select(row * params.k + k, k * params.m + row, A_T == 1u);
    let place = index[at];
    if (place == NOWHERE) { continue; }
    let falls = (place & SIGN) != select(0u, SIGN, A_T == 1u);
    let g = orNan(dy[at], distance_[at]);
    y[row * params.n + (place & ~SIGN)] += ElementY(select(g, -g, falls));
  }
}

// The same by workgroups, into every element of y: 128 terms at a time set their bit in a mask of the feature that they
// go to, and each feature adds those of its mask in their order. A workgroup has FEATURES features of a row; grid
// (128 M N / FEATURES).
const FEATURES = 512u;
const MASKS = FEATURES * 4u;
var<workgroup> masks: array<atomic<u32>, MASKS>;
var<workgroup> gradients: array<f32, 128>;

@compute @workgroup_size(128)
fn gatherLargest(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let group = id.x + id.y * 32768u;
  let across = (params.n + FEATURES - 1u) / FEATURES;
  let row = group / across;
  let first = group % across * FEATURES;
  if (row >= params.m) { return; }
  var acc: vec4f;
  for (var k0 = 0u; k0 < params.k; k0 += 128u) {
    let k = k0 + t;
    if (k < params.k) {
      let at = select(row * params.k + k, k * params.m + row, A_T == 1u);
      let place = index[at];
      // Also of NOWHERE: far beyond.
      let feature = (place & ~SIGN) - first;
      if (feature < FEATURES) {
        let falls = (place & SIGN) != select(0u, SIGN, A_T == 1u);
        let g = orNan(dy[at], distance_[at]);
        gradients[t] = select(g, -g, falls);
        atomicOr(&masks[t / 32u * FEATURES + feature], 1u << (t % 32u));
      }
    }
    workgroupBarrier();
    for (var f = 0u; f < 4u; f++) { // unroll
      for (var word = 0u; word < 4u; word++) {
        let mask = atomicExchange(&masks[word * FEATURES + f * 128u + t], 0u);
        for (var left = mask; left != 0u; left &= left - 1u) {
          acc[f] += gradients[word * 32u + firstTrailingBit(left)];
        }
      }
    }
    workgroupBarrier();
  }
  for (var f = 0u; f < 4u; f++) { // unroll
    let feature = first + f * 128u + t;
    if (feature < params.n) { y[row * params.n + feature] = ElementY(acc[f]); }
  }
}
