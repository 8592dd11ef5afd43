// y = x with its axes in another order; `shape` is that of y, `stride` the strides of x in y's order, last axis in w.
// Up to six axes: a and b hold the last four and the first two. One invocation an element of y; grid (size).
// use lib/index.wgsl

struct Params { size: u32, shapeA: vec4u, strideA: vec4u, shapeB: vec4u, strideB: vec4u }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  var rest = i;
  var at = 0u;
  for (var r = 0u; r < 4u; r++) {
    at += rest % params.shapeA[3u - r] * params.strideA[3u - r];
    rest = rest / params.shapeA[3u - r];
  }
  for (var r = 0u; r < 2u; r++) {
    at += rest % params.shapeB[3u - r] * params.strideB[3u - r];
    rest = rest / params.shapeB[3u - r];
  }
  y[i] = x[at];
}
