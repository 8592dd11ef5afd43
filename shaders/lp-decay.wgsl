// Weight decay of the rows of distance layers, w of a row, in place:
//   w_i -= rate (|w_i| / ||w||_p)^(p - 2) w_i
// with r_i = (w_i^2 + 1e-10) / max_j (w_j^2 + 1e-10), so that nothing overflows:
//   (|w_i| / ||w||_p)^(p - 2) = r_i^(p/2 - 1) / (sum_j r_j^(p/2))^((p - 2) / p)
// At infinity only the largest entry of a row decays, the first of equals.
// hyper = rate, p / 2, (p - 2) / p, 1 when p is infinite. rows: start and length of each row, 0 where it is frozen.
// One invocation a row; grid (rows).
// use lib/index.wgsl

struct Params { count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> p: array<f32>;

fn square(i: u32) -> f32 { return p[i] * p[i] + 1e-10; }

@compute @workgroup_size(64)
fn decay(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.count) { return; }
  let start = rows[2u * row];
  let end = start + rows[2u * row + 1u];
  if (start == end) { return; }
  var top = start;
  for (var i = start + 1u; i < end; i++) {
    if (square(i) > square(top)) { top = i; }
  }
  if (hyper[3] > 0.0) {
    p[top] -= hyper[0] * p[top];
    return;
  }
  let largest = square(top);
  var sum = 0.0;
  for (var i = start; i < end; i++) { sum += pow(square(i) / largest, hyper[1]); }
  let rate = hyper[0] / pow(sum, hyper[2]);
  for (var i = start; i < end; i++) {
    p[i] -= rate * pow(square(i) / largest, hyper[1] - 1.0) * p[i];
  }
}
