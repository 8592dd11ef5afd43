// One step of SGD over a whole parameter arena, as PyTorch's SGD:
//   d = g + weightDecay p;  m = momentum m + (1 - dampening) d  (m = d in the first step);
//   d = nesterov ? d + momentum m : m;  p = p - lr d
// hyper = lr, momentum, dampening, weightDecay, nesterov, isFirst. Four elements an invocation; grid (size / 4).
// use lib/index.wgsl

struct Params { quads: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4f>;

@compute @workgroup_size(64)
fn step_(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let before = p[i];
  var d = g[i] + hyper[3] * before;
  if (hyper[1] != 0.0) {
    let buffer = select(hyper[1] * m[i] + (1.0 - hyper[2]) * d, d, hyper[5] != 0.0);
    m[i] = buffer;
    d = select(buffer, d + hyper[1] * buffer, hyper[4] != 0.0);
  }
  p[i] = before - hyper[0] * d;
}
