// One step of Adam over a whole parameter arena, as PyTorch's Adam:
//   g = g + weightDecay p (added to the gradient);  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
//   p = p - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
// hyper = lr / (1 - b1^t), 1 - b1, 1 - b2, eps, weightDecay, sqrt(1 - b2^t): differences come from the host in f64, since
// 1 - b2 in f32 is off by 1e-5.
// Four elements an invocation; grid (size / 4).
// use lib/index.wgsl

struct Params { quads: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4f>;

@compute @workgroup_size(64)
fn step_(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let before = p[i];
  let d = g[i] + hyper[4] * before;
  let first = m[i] + hyper[1] * (d - m[i]);
  let second = v[i] + hyper[2] * (d * d - v[i]);
  m[i] = first;
  v[i] = second;
  p[i] = before - hyper[0] * first / (sqrt(second) / hyper[5] + hyper[3]);
}
