// Gradient clipping over a whole arena, in place.
//   byNorm   g = g min(1, max / (norm + 1e-6)), norm = norms[0]
//   byValue  g = clamp(g, -max, max)
// NaN is told by its bits, since min and clamp may swallow it: a NaN norm makes every gradient NaN, as in PyTorch, and
// a NaN gradient stays. Four elements an invocation; grid (size / 4).
// use lib/index.wgsl
// use lib/nan.wgsl

struct Params { quads: u32, limit: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> norms: array<f32>;
@group(0) @binding(2) var<storage, read_write> g: array<vec4f>;

@compute @workgroup_size(64)
fn byNorm(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let norm = norms[0];
  g[i] *= orNan(min(1.0, params.limit / (norm + 1e-6)), norm);
}

@compute @workgroup_size(64)
fn byValue(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  g[i] = orNan4(clamp(g[i], vec4f(-params.limit), vec4f(params.limit)), g[i]);
}
