// The ascent of sharpness-aware minimisation over a whole arena; norm = norms[0]:
//   kept = p;  p = p + t g rho / (norm + 1e-12),  norm = |g|, t = 1;  adaptive: norm = | |p| g |, t = p^2
// Four elements an invocation; grid (size / 4).
// use lib/index.wgsl

struct Params { quads: u32, rho: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> norms: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> kept: array<vec4f>;

fn stretch(p: vec4f) -> vec4f { return vec4f(1.0); } // variant

@compute @workgroup_size(64)
fn ascend(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let before = p[i];
  kept[i] = before;
  p[i] = before + stretch(before) * g[i] * (params.rho / (norms[0] + 1e-12));
}
