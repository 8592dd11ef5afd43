// Picking by index along the middle axis of x: (outer, length, inner). Elements are copied bit by bit.
//   select  y[o, j, i] = x[o, index[j], i]           y: (outer, count, inner), index: (count)
//   along   y[o, j, i] = x[o, index[o, j, i], i]     y and index: (outer, count, inner)
// Backward gathers too: each element of dx adds what was taken from it, in index order, so nothing is added atomically.
// An index outside 0..length-1 gives zero bits. One invocation an element of the result; grid (its size).
// use lib/index.wgsl

struct Params { outer: u32, length: u32, inner: u32, count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> index: array<i32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<u32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

fn pick(at: u32, from_: i32) -> u32 {
  let inside = from_ >= 0 && from_ < i32(params.length);
  let row = select(0u, u32(from_), inside);
  let v = x[(at / params.inner / params.count * params.length + row) * params.inner + at % params.inner];
  return select(0u, v, inside);
}

@compute @workgroup_size(64)
fn select_(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.count * params.inner) { return; }
  y[at] = pick(at, index[at / params.inner % params.count]);
}

@compute @workgroup_size(64)
fn along(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.count * params.inner) { return; }
  y[at] = pick(at, index[at]);
}

@compute @workgroup_size(64)
fn selectBackward(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.length * params.inner) { return; }
  let row = i32(at / params.inner % params.length);
  let base = at / params.inner / params.length * params.count;
  var sum = 0.0;
  for (var j = 0u; j < params.count; j++) {
    if (index[j] == row) { sum += dy[(base + j) * params.inner + at % params.inner]; }
  }
  dx[at] = sum;
}

@compute @workgroup_size(64)
fn alongBackward(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.length * params.inner) { return; }
  let row = i32(at / params.inner % params.length);
  let base = at / params.inner / params.length * params.count;
  var sum = 0.0;
  for (var j = 0u; j < params.count; j++) {
    let from_ = (base + j) * params.inner + at % params.inner;
    if (index[from_] == row) { sum += dy[from_]; }
  }
  dx[at] = sum;
}
