// The plumbing of a training step; `state` is written by the host before each run.
//   take  index[b] = order[state.position + b], x[b] = data[index[b]], y[b] = labels[index[b]]; data: (n, features),
//         one invocation an element of x; grid (batch * features)
//   log   history[state.log] = loss[0]; grid (1)
//   put   x[order[b]] = data[b], rows of `features`, of equal places the last; a place outside x writes nothing;
//         grid (batch * features)
// use lib/index.wgsl

struct Params { batch: u32, features: u32 }
// `first` and `stream` lie where random kernels expect the place of their first item.
//   first     number of the first sample of the batch over the whole run
//   stream    of the random numbers
//   position  of the batch in the order of the epoch
//   log       place of its loss
struct State { first: u32, stream: u32, position: u32, log: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
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
  let from_ = order[state.position + b];
  x[i] = data[from_ * params.features + f];
  if (f == 0u) {
    y[b] = labels[from_];
    index[b] = from_;
  }
}

@compute @workgroup_size(64)
fn log_(@builtin(local_invocation_index) lane: u32) {
  if (lane > 0u) { return; }
  x[state.log] = data[0];
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
