// y[n, c] = one where c = labels[n], else zero bits; labels: (count) i32 or u32, y: (count, classes), `one` the bits of
// 1 in y's type. A label outside 0..classes-1 gives a row of zeros. One invocation per element; grid (count * classes).
// use lib/index.wgsl

struct Params { size: u32, classes: u32, one: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  y[i] = select(0u, params.one, labels[i / params.classes] == i % params.classes);
}
