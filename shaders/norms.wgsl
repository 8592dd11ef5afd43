// Norms of segments of a flat array, in two dispatches whatever their number: |w x| of order 2 or 1, or the largest |w
// x|.
//   partial  part k folds the quads first, first + stride, ... below end of (first, end, stride) = parts[3k ..]
//   combine  segment s folds its parts ends[s] .. ends[s + 1] - 1 and takes the root
// A segment of n quads has about sqrt(n) parts, so neither pass has a long chain.
// One invocation a part, then a segment; plain loops, so results repeat bit for bit. Grid (count).
// use lib/index.wgsl
// use lib/nan.wgsl

struct Params { count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parts: array<u32>;
@group(0) @binding(2) var<storage, read> ends: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<vec4f>;
@group(0) @binding(4) var<storage, read> w: array<vec4f>;
@group(0) @binding(5) var<storage, read> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

fn weighted(x: vec4f, w: vec4f) -> vec4f { return x; } // variant
fn power(v: vec4f) -> vec4f { return v * v; } // variant
fn fold4(acc: vec4f, v: vec4f) -> vec4f { return acc + v; } // variant
fn fold(acc: f32, v: f32) -> f32 { return acc + v; } // variant
fn root(v: f32) -> f32 { return sqrt(v); } // variant

@compute @workgroup_size(64)
fn partial(@builtin(global_invocation_id) id: vec3u) {
  let k = linearIndex(id);
  if (k >= params.count) { return; }
  var acc = vec4f();
  for (var i = parts[3u * k]; i < parts[3u * k + 1u]; i += parts[3u * k + 2u]) {
    acc = fold4(acc, power(weighted(x[i], w[i])));
  }
  y[k] = fold(fold(acc.x, acc.y), fold(acc.z, acc.w));
}

@compute @workgroup_size(64)
fn combine(@builtin(global_invocation_id) id: vec3u) {
  let s = linearIndex(id);
  if (s >= params.count) { return; }
  var acc = 0.0;
  for (var k = ends[s]; k < ends[s + 1u]; k++) { acc = fold(acc, sums[k]); }
  y[s] = root(acc);
}
