// Picking by index along the middle axis of x: (outer, length, inner), and its transpose. Elements are copied bit by
// bit.
//   pick     y[o, j, i] = x[o, k(o, j, i), i]                               y: (outer, count, inner)
//   scatter  sums[o, l, i] = base[o, l, i] + sum over j with k(o, j, i) = l of from_[o, j, i]     (no base: BASE = 0)
// k is index[at / step % period] with `at` the place of (o, j, i): step = inner, period = count for one index a slice,
// step = 1, period = all for one an element. Scatter gathers: each sum takes its terms in index order, nothing is added
// atomically. An index, i32 or u32, outside 0..length-1 gives zero bits and adds nothing. One invocation an element of
// the result; grid (its size).
// use lib/index.wgsl

override BASE: u32 = 1u;

struct Params { outer: u32, length: u32, inner: u32, count: u32, step: u32, period: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read> base: array<f32>;
@group(0) @binding(4) var<storage, read> from_: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<u32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn pick(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.count * params.inner) { return; }
  let k = index[at / params.step % params.period];
  let inside = k < params.length;
  let v = x[(at / params.inner / params.count * params.length + select(0u, k, inside)) * params.inner
    + at % params.inner];
  y[at] = select(0u, v, inside);
}

@compute @workgroup_size(64)
fn scatter(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.length * params.inner) { return; }
  let l = at / params.inner % params.length;
  var place = at / params.inner / params.length * params.count * params.inner + at % params.inner;
  var sum = 0.0;
  if (BASE == 1u) { sum = base[at]; }
  for (var j = 0u; j < params.count; j++) {
    if (index[place / params.step % params.period] == l) { sum += from_[place]; }
    place += params.inner;
  }
  sums[at] = sum;
}
