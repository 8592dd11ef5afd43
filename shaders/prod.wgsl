// Products of all elements of a row but one, without division, so that zeros are no exception; x: (outer, length,
// inner).
//   others    y[l] = product over m != l of x[m]
//   backward  y[l] = sum over k != l of g[k] times the product over m != k, l of x[m]
// A sweep up the row keeps the product a of what lies before and, in backward, its change b = sum over k of g[k] times
// the product of the others before; a sweep down does the same for what lies after. One invocation per
// row; grid (outer * inner).
// use lib/index.wgsl

struct Params { outer: u32, length: u32, inner: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> change: array<f32>;

fn startOf(row: u32) -> u32 { return row / params.inner * params.length * params.inner + row % params.inner; }

@compute @workgroup_size(64)
fn others(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.outer * params.inner) { return; }
  let base = startOf(row);
  var a = 1.0;
  for (var l = 0u; l < params.length; l++) {
    let at = base + l * params.inner;
    y[at] = a;
    a *= x[at];
  }
  a = 1.0;
  for (var l = params.length; l > 0u; l--) {
    let at = base + (l - 1u) * params.inner;
    y[at] *= a;
    a *= x[at];
  }
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.outer * params.inner) { return; }
  let base = startOf(row);
  var a = 1.0;
  var b = 0.0;
  for (var l = 0u; l < params.length; l++) {
    let at = base + l * params.inner;
    y[at] = a;
    change[at] = b;
    b = b * x[at] + g[at] * a;
    a *= x[at];
  }
  a = 1.0;
  b = 0.0;
  for (var l = params.length; l > 0u; l--) {
    let at = base + (l - 1u) * params.inner;
    y[at] = change[at] * a + y[at] * b;
    b = b * x[at] + g[at] * a;
    a *= x[at];
  }
}
