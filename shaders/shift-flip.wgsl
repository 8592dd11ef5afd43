// Each image of x: (batch, channels, height, width) moved and mirrored, zero where nothing comes in:
//   y[b, c, i, j] = x[b, c, i + s, j' + t],  (s, t) = shift[b],  j' = width - 1 - j if flip[b], else j
// INVERSE: the transpose, which is the same map with -s, and with -t where there is no flip.
// One invocation per element; grid (batch * channels * height * width).
// use lib/index.wgsl

override INVERSE: u32 = 0u;

struct Params { size: u32, channels: u32, height: u32, width: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> shift: array<i32>;
@group(0) @binding(3) var<storage, read> flip: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.size) { return; }
  let plane = at / (params.height * params.width);
  let b = plane / params.channels;
  var s = vec2i(shift[2u * b], shift[2u * b + 1u]);
  let i = i32(at / params.width % params.height);
  var j = i32(at % params.width);
  let mirrored = flip[b] != 0u;
  if (mirrored) { j = i32(params.width) - 1 - j; }
  if (INVERSE == 1u) { s = vec2i(-s.x, select(-s.y, s.y, mirrored)); }
  let row = i + s.x;
  let col = j + s.y;
  var value = 0.0;
  if (row >= 0 && col >= 0 && row < i32(params.height) && col < i32(params.width)) {
    value = x[(plane * params.height + u32(row)) * params.width + u32(col)];
  }
  y[at] = value;
}
