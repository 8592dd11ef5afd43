// Averages of weights over a whole arena; weight = hyper[0], written by the host before each step.
//   update  a = a + weight (p - a);  a = p bit for bit when the weight is 1, untouched when it is 0
//   swap    a and p change places, bit for bit: words are moved, not numbers
// Four elements an invocation; grid (size / 4).
// use lib/index.wgsl

struct Params { quads: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> a: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> left: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> right: array<vec4u>;

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads || hyper[0] == 0.0) { return; }
  if (hyper[0] == 1.0) {
    a[i] = p[i];
  } else {
    a[i] += hyper[0] * (p[i] - a[i]);
  }
}

@compute @workgroup_size(64)
fn swap(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let kept = left[i];
  left[i] = right[i];
  right[i] = kept;
}
