// Rows of x: (rows, cols) scaled to unit length: y = x / n, n = max(|x|, eps).
//   dx = (dy - y (y . dy)) / n where |x| > eps, else dy / eps
// One invocation a row; grid (rows).
// use lib/index.wgsl
// use lib/nan.wgsl

struct Params { rows: u32, cols: u32, eps: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn length_(base: u32) -> f32 {
  // Scaled by the largest entry, so that squares neither overflow nor vanish. As bits, NaN is above all; of
  // what is below the normal numbers it is all that counts.
  var most = 0u;
  for (var c = 0u; c < params.cols; c++) { most = max(most, bitcast<u32>(x[base + c]) & 0x7fffffffu); }
  let m = bitcast<f32>(most);
  if (most < 0x00800000u || most >= 0x7f800000u) { return m; }
  var sum = 0.0;
  for (var c = 0u; c < params.cols; c++) {
    let v = x[base + c] / m;
    sum += v * v;
  }
  return m * sqrt(sum);
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.rows) { return; }
  let base = row * params.cols;
  let n = maxOf(length_(base), params.eps);
  for (var c = 0u; c < params.cols; c++) { y[base + c] = x[base + c] / n; }
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.rows) { return; }
  let base = row * params.cols;
  let own = length_(base);
  let n = maxOf(own, params.eps);
  var along = 0.0;
  if (own > params.eps) {
    for (var c = 0u; c < params.cols; c++) { along += x[base + c] / n * dy[base + c]; }
  }
  for (var c = 0u; c < params.cols; c++) { y[base + c] = (dy[base + c] - x[base + c] / n * along) / n; }
}
