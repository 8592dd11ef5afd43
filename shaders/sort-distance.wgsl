// Weighted sums of the largest terms of distances between the rows of x: (m, k) and the rows of w: (n, k):
//   forward         y[m, n] = sum_j shares[j] t_(j),  t_(0) >= t_(1) >= ... the TERMS largest of |x[m, k] - w[n, k]|
//   forwardIndexed  also notes where the terms were found, the lowest index of equals first, and the smallest of them
//   bound           the same of the largest (UPPER) or the least distances from w to a point of [x, upper]
//   backward        gradient of one side: own (rows of x, or of w) gathers dy shares[j] sign(t) from all of other
// Terms are kept in order in registers; a new one moves through them by insertion. Their bits order as the numbers do,
// NaN above all of them. A share of 0 counts for nothing, also of an infinity.
// One invocation per element of the result; grid (elements).
// use lib/index.wgsl
// use lib/nan.wgsl

const TERMS = 10u; // variant
override UPPER: u32 = 1u;
// The gradient is that of w.
override OF_W: u32 = 0u;

struct Params { m: u32, n: u32, k: u32, shares: mat4x4f }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> upper: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> index: array<u32>;
@group(0) @binding(7) var<storage, read_write> least: array<f32>;

fn share(j: u32) -> f32 { return params.shares[j / 4u][j % 4u]; }

fn bitsOf(t: f32) -> i32 { return bitcast<i32>(t) & 0x7fffffff; }

fn insert(top: ptr<function, array<i32, TERMS>>, term: f32) {
  var t = bitsOf(term);
  if (t <= (*top)[TERMS - 1u]) { return; }
  for (var j = 0u; j < TERMS; j++) { // unroll
    let kept = (*top)[j];
    (*top)[j] = max(kept, t);
    t = min(kept, t);
  }
}

fn weighted(top: ptr<function, array<i32, TERMS>>) -> f32 {
  var sum = 0.0;
  for (var j = 0u; j < TERMS; j++) { // unroll
    if (share(j) != 0.0) { sum += share(j) * bitcast<f32>((*top)[j]); }
  }
  return sum;
}

// Where the rows of x and of w of an element of y begin.
fn rowsOf(i: u32) -> vec2u { return vec2u(i / params.n, i % params.n) * params.k; }

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.m * params.n) { return; }
  let rows = rowsOf(i);
  var top: array<i32, TERMS>;
  for (var k = 0u; k < params.k; k++) { insert(&top, x[rows.x + k] - w[rows.y + k]); }
  y[i] = weighted(&top);
}

@compute @workgroup_size(64)
fn forwardIndexed(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.m * params.n) { return; }
  let rows = rowsOf(i);
  var top: array<i32, TERMS>;
  var at: array<u32, TERMS>;
  for (var j = 0u; j < TERMS; j++) { // unroll
    top[j] = -1;
  }
  for (var k = 0u; k < params.k; k++) {
    var t = bitsOf(x[rows.x + k] - w[rows.y + k]);
    if (t <= top[TERMS - 1u]) { continue; }
    var place = k;
    var isPlaced = false;
    for (var j = 0u; j < TERMS; j++) { // unroll
      let kept = top[j];
      let keptAt = at[j];
      isPlaced = isPlaced || t > kept;
      top[j] = select(kept, t, isPlaced);
      at[j] = select(keptAt, place, isPlaced);
      t = select(t, kept, isPlaced);
      place = select(place, keptAt, isPlaced);
    }
  }
  for (var j = 0u; j < TERMS; j++) { // unroll
    index[i * TERMS + j] = at[j];
  }
  least[i] = bitcast<f32>(top[TERMS - 1u]);
  y[i] = weighted(&top);
}

@compute @workgroup_size(64)
fn bound(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.m * params.n) { return; }
  let rows = rowsOf(i);
  var top: array<i32, TERMS>;
  for (var k = 0u; k < params.k; k++) {
    let below = w[rows.y + k] - x[rows.x + k];
    let above = upper[rows.x + k] - w[rows.y + k];
    // Outside the box, the nearest of its points is as far as the nearer end.
    insert(&top, orNan(orNan(select(max(0.0, max(-below, -above)), max(below, above), UPPER == 1u), below), above));
  }
  y[i] = weighted(&top);
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let rows = select(params.m, params.n, OF_W == 1u);
  if (i >= rows * params.k) { return; }
  let row = i / params.k;
  let k = i % params.k;
  var sum = 0.0;
  for (var o = 0u; o < select(params.n, params.m, OF_W == 1u); o++) {
    let pair = select(row * params.n + o, o * params.n + row, OF_W == 1u);
    let t = select(x[i] - w[o * params.k + k], x[o * params.k + k] - w[i], OF_W == 1u);
    if (bitsOf(t) < bitcast<i32>(least[pair])) { continue; }
    var slope = 0.0;
    for (var j = 0u; j < TERMS; j++) { // unroll
      slope += select(0.0, share(j), index[pair * TERMS + j] == k);
    }
    sum += select(dy[pair], -dy[pair], (t < 0.0) != (OF_W == 1u)) * slope;
  }
  y[i] = sum;
}
