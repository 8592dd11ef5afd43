// The data of a training step: its batch, and the history of its loss. The host writes `state` before each run.
//   take  index[b] = order[state[2] + b], x[b] = data[index[b]], y[b] = labels[index[b]]; data: (n, features), one
//         invocation per element of x; grid (batch * features)
//   log   history[state[3]] = loss[0]; grid (1)
//   put   x[order[b]] = data[b], rows of `features`, of equal places the last; a place outside x writes nothing;
//         grid (batch * features)
// use lib/index.wgsl

struct Params { batch: u32, features: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> data: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<i32>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read_write> x: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<i32>;
@group(0) @binding(7) var<storage, read_write> index: array<u32>;

@compute @workgroup_size(64)
fn take(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.batch * params.features) { return; }
  let b = i / params.features;
  let f = i % params.features;
  let from_ = order[state[2] + b];
  x[i] = data[from_ * params.features + f];
  if (f == 0u) {
    y[b] = labels[from_];
    index[b] = from_;
  }
}

@compute @workgroup_size(64)
fn log_(@builtin(local_invocation_index) lane: u32) {
  if (lane > 0u) { return; }
  x[state[3]] = data[0];
}

@compute @workgroup_size(64)
fn put(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.batch * params.features) { return; }
  let b = i / params.features;
  let to_ = order[b];
  for (var later = b + 1u; later < params.batch; later++) {
    if (order[later] == to_) { return; }
  }
  if (to_ < arrayLength(&x) / params.features) { x[to_ * params.features + i % params.features] = data[i]; }
}
