// y[b, c, l] = x[b, c, l] - mean[c], x: (batch, channels, length).
//   forward   also moves the running mean: running[c] += momentum (mean[c] - running[c])
//   shift     only subtracts
// One invocation an element; grid (size).
// use lib/index.wgsl

struct Params { size: u32, channels: u32, length: u32, momentum: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> running: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i < params.channels) { running[i] += params.momentum * (mean[i] - running[i]); }
  if (i < params.size) { y[i] = x[i] - mean[i / params.length % params.channels]; }
}

@compute @workgroup_size(64)
fn shift(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i < params.size) { y[i] = x[i] - mean[i / params.length % params.channels]; }
}
