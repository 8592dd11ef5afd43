// y = apply(a, b) with NumPy broadcasting; the host merges axes, so that equal shapes are one axis.
// `shape` is that of y, last axis in w; a stride is 0 along a broadcast axis. One invocation an element; grid (size).
// use lib/index.wgsl

const RANK = 1u; // variant

struct Params { size: u32, p: f32, shape: vec4u, strideA: vec4u, strideB: vec4u }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn apply(a: f32, b: f32, p: f32) -> f32 { return a; } // variant

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  if (RANK == 1u) {
    y[i] = apply(a[i * params.strideA.w], b[i * params.strideB.w], params.p);
    return;
  }
  var rest = i;
  var ia = 0u;
  var ib = 0u;
  for (var r = 0u; r < RANK; r++) { // unroll
    let at = rest % params.shape[3u - r];
    rest = rest / params.shape[3u - r];
    ia += at * params.strideA[3u - r];
    ib += at * params.strideB[3u - r];
  }
  y[i] = apply(a[ia], b[ib], params.p);
}
