// Patches of x: (batch, channels, height, width) as columns of y: (batch, channels * kh * kw, outH * outW):
//   unfold  y[n, (c, r, s), (oh, ow)] = x[n, c, oh * stride - pad + r * dilation, ow * stride - pad + s * dilation],
//           0 outside
//   fold    its transpose: x[n, c, h, v] = sum of the elements of y that unfold takes from there, gathered
// One invocation per element of the result; grid (its size).
// use lib/index.wgsl

struct Params { planes: u32, size: vec2u, out: vec2u, kernel: vec2u, stride: vec2u, pad: vec2u, dilation: vec2u }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn unfold(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let columns = params.out.x * params.out.y;
  let window = params.kernel.x * params.kernel.y;
  if (i >= params.planes * window * columns) { return; }
  let at = vec2u(i / params.out.y % params.out.x, i % params.out.y);
  let tap = vec2u(i / columns / params.kernel.y % params.kernel.x, i / columns % params.kernel.y);
  let p = at * params.stride + tap * params.dilation;
  if (any(p < params.pad) || any(p >= params.size + params.pad)) {
    y[i] = 0.0;
    return;
  }
  let q = p - params.pad;
  y[i] = x[(i / columns / window * params.size.x + q.x) * params.size.y + q.y];
}

@compute @workgroup_size(64)
fn fold(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let plane = params.size.x * params.size.y;
  if (i >= params.planes * plane) { return; }
  let p = vec2u(i / params.size.y % params.size.x, i % params.size.y) + params.pad;
  var sum = 0.0;
  for (var r = 0u; r < params.kernel.x; r++) {
    for (var s = 0u; s < params.kernel.y; s++) {
      let offset = vec2u(r, s) * params.dilation;
      if (any(p < offset)) { continue; }
      let at = (p - offset) / params.stride;
      if (any(at * params.stride != p - offset) || any(at >= params.out)) { continue; }
      sum += x[(((i / plane * params.kernel.x + r) * params.kernel.y + s) * params.out.x + at.x) * params.out.y + at.y];
    }
  }
  y[i] = sum;
}
