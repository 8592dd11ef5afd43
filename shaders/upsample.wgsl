// Nearest-neighbour resampling of x: (planes, height, width) to y: (planes, outH, outW):
//   forward   y[p, oh, ow] = x[p, floor(oh * height / outH), floor(ow * width / outW)]
//   backward  dx[p, h, v] = sum of dy over the elements that copy it, a rectangle
// One invocation per element of the result; grid (its size).
// use lib/index.wgsl

// down / up = size / out in lowest terms, which keeps the products small.
struct Params { planes: u32, size: vec2u, out: vec2u, down: vec2u, up: vec2u }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let area = params.out.x * params.out.y;
  if (i >= params.planes * area) { return; }
  let at = vec2u(i / params.out.y % params.out.x, i % params.out.y) * params.down / params.up;
  y[i] = x[(i / area * params.size.x + at.x) * params.size.y + at.y];
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let area = params.size.x * params.size.y;
  if (i >= params.planes * area) { return; }
  let at = vec2u(i / params.size.y % params.size.x, i % params.size.y);
  let first = (at * params.up + params.down - 1u) / params.down;
  let end = ((at + 1u) * params.up + params.down - 1u) / params.down;
  var sum = 0.0;
  for (var r = first.x; r < end.x; r++) {
    for (var c = first.y; c < end.y; c++) { sum += x[(i / area * params.out.x + r) * params.out.y + c]; }
  }
  y[i] = sum;
}
