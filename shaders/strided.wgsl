// Copies between a dense tensor and a strided view of another one. Element i of the view lies at
//   offset + sum over axes r of (position of i along r) * stride[r]        (modulo 2^32, so strides may be negative)
//   take   y[i] = x[place of i]: permuted, sliced, reversed or repeated axes
//   place  y[place of i] = x[i]; the view holds no element twice
// Axes are listed from the last to the first. Elements are copied bit by bit; one invocation each; grid (size).
// use lib/index.wgsl

const RANK = 2u; // variant

struct Params { size: u32, offset: u32, shape: array<vec4u, 4>, stride: array<vec4u, 4> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn placeOf(i: u32) -> u32 {
  var rest = i;
  var at = params.offset;
  for (var r = 0u; r < RANK; r++) { // unroll
    at += rest % params.shape[r / 4u][r % 4u] * params.stride[r / 4u][r % 4u];
    rest = rest / params.shape[r / 4u][r % 4u];
  }
  return at;
}

@compute @workgroup_size(64)
fn take(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  y[i] = x[placeOf(i)];
}

@compute @workgroup_size(64)
fn place(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  y[placeOf(i)] = x[i];
}
