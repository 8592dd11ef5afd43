// Distances of the rows of x: (M, K) to the rows of w: (N, K).
//   forward          y[m, n] = (sum_k |x[m, k] - w[n, k]|^p)^(1/p)
//   forwardLargest   y[m, n] = max_k |x[m, k] - w[n, k]|, p = infinity; forwardIndexed also notes where it was found
//   backward         dx[m, k] = sum_n dy[m, n] (|t| / y[m, n])^(p-1) sign(t), t = x[m, k] - w[n, k]; dw alike
//   backwardLargest  dy goes to the coordinate of the largest term, with its sign
// A distance with a term that is NaN is NaN, and so is its gradient: at p = infinity that of the first such term, else
// of all. Blocked as in lib/gemm.wgsl: the sums of a product with another inner operation. Grid (N / BLOCK_N, M /
// BLOCK_M).
// use lib/gemm.wgsl
// use lib/operands.wgsl
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

// NaN where a term is: |Infinity - Infinity| too.
fn keepNan(row0: u32, col0: u32, acc: ptr<function, array<vec4f, SUMS>>) {
  for (var s = 0u; s < SUMS * 4u; s++) {
    let row = min(row0 + s / BLOCK_N, params.m - 1u) * params.k / UNIT_A;
    let col = min(col0 + s % BLOCK_N, params.n - 1u) * params.k / UNIT_B;
    for (var k = 0u; k < params.k / UNIT_A; k++) {
      let t = readA(row + k) - readB(col + k);
      if (isNan(t.x) || (UNIT_A == 4u && any(isNan4(t)))) { acc[s / 4u][s % 4u] = bitcast<f32>(0x7fc00000u | wild[0]); }
    }
  }
}

// Rolled, over a copy: see shaders/matmul.wgsl.
fn store(row0: u32, col0: u32, acc: ptr<function, array<vec4f, SUMS>>) {
  var sums = *acc;
  if (WATCHED == 1u && wild[0] != 0u) { keepNan(row0, col0, &sums); }
  for (var i = 0u; i < min(BLOCK_M, params.m - row0); i++) {
    for (var j = 0u; j < BLOCK_N4; j++) {
      let col = col0 + j * 4u;
      if (col < params.n) { writeY((row0 + i) * params.n + col, params.n - col, sums[i * BLOCK_N4 + j]); }
    }
  }
}

fn storeLargest(row0: u32, col0: u32, most: ptr<function, array<Maxima, SUMS>>) {
  var acc: array<vec4f, SUMS>;
  for (var q = 0u; q < SUMS; q++) { // unroll
    acc[q] = bitcast<vec4f>(most[q]);
  }
  store(row0, col0, &acc);
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
    for (var q = 0u; q < SUMS; q++) { // unroll
      let most = bitcast<vec4f>(scale[q]);
      inverse[q] = select(vec4f(), 1.0 / most, most > vec4f(1.2e-38));
    }
  }
  var acc: array<vec4f, SUMS>;
  var along = 0u;
  for (var k = 0u; k < params.k; k += 4u) {
    var blockA: array<vec4f, BLOCK_M>;
    var blockB: array<vec4f, BLOCK_N>;
    loadA(&startsA, length, k, along, params.k, &blockA);
    loadB(&startsB, length, k, along, &blockB);
    along += STEP_A;
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        var sum = acc[i * BLOCK_N4 + j];
        for (var kk = 0u; kk < 4u; kk++) { // unroll
          var t = blockA[i][kk] - blockB[kk * BLOCK_N4 + j];
          if (NORMALISED == 1u) { t *= inverse[i * BLOCK_N4 + j]; }
          sum += raised(t);
        }
        acc[i * BLOCK_N4 + j] = sum;
      }
    }
  }
  for (var q = 0u; q < SUMS; q++) { // unroll
    acc[q] = root(acc[q]);
    if (NORMALISED == 1u) {
      let most = bitcast<vec4f>(scale[q]);
      acc[q] = select(acc[q] * most, most, bitcast<vec4u>(scale[q]) >= vec4u(0x7f800000u));
    }
  }
  store(row0, col0, &acc);
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
  storeLargest(row0, col0, &acc);
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
  storeLargest(row0, col0, &acc);
  var places = found;
  for (var s = 0u; s < SUMS; s++) {
    let row = row0 + s / BLOCK_N4;
    let col = col0 + s % BLOCK_N4 * 4u;
    for (var c = 0u; c < 4u; c++) {
      if (row < params.m && col + c < params.n) { index[row * params.n + col + c] = places[s][c]; }
    }
  }
}

// Narrows `index` from four k to the lowest that has the largest term; its top bit is set where the term falls with x.
// One invocation an output; x and w one element at a time; grid (M * N).
@compute @workgroup_size(64)
fn locate(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.m * params.n) { return; }
  let row = i / params.n * params.k;
  let col = i % params.n * params.k;
  let largest = distance_[i];
  // Clears what an earlier call has put there, so that a graph can be walked twice.
  let start = index[i] & ~(SIGN | 3u);
  var at = start;
  if (DIRECTION != 0u && largest == 0.0 && !isNan(largest)) {
    index[i] = NOWHERE;
    return;
  }
  let first = select(start, 0u, isNan(largest));
  for (var k = first; k < select(min(start + 4u, params.k), params.k, isNan(largest)); k++) {
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
  store(row0, col0, &acc);
}

// The gradient at p = infinity, into y: (M, N) filled with zeros; for dw if A_T. One invocation a row; grid (M).
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
