// Gamma, beta and Dirichlet variates. Element e of item n has the counters (e, state[0] + n, stream + state[1], ..) of
// its own.
//   gamma      y = scale * G(a)
//   beta       y = G(a) / (G(a) + G(b))
//   dirichlet  row r of y: G(a[c]) / sum over c, e = r * classes + c
// a and b are numbers, or tables of y's shape (TABLE_A, TABLE_B = 1); for dirichlet a table of one row.
// y: (count, size); one invocation per element, grid (count * size); dirichlet: one per row, grid (count * size /
// classes).
// use lib/index.wgsl
// use lib/nan.wgsl
// use lib/philox.wgsl
// use lib/normal.wgsl
// use lib/gamma.wgsl

override TABLE_A: u32 = 0u;
override TABLE_B: u32 = 0u;

struct Params { key0: u32, key1: u32, stream: u32, count: u32, size: u32, classes: u32, a: f32, b: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> tableA: array<f32>;
@group(0) @binding(3) var<storage, read> tableB: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn counterOf(i: u32) -> vec3u {
  return vec3u(i % params.size, state[0] + i / params.size, params.stream + state[1]);
}

fn aOf(i: u32) -> f32 {
  if (TABLE_A == 1u) { return tableA[i]; }
  return params.a;
}

fn bOf(i: u32) -> f32 {
  if (TABLE_B == 1u) { return tableB[i]; }
  return params.b;
}

fn keyOf() -> vec2u { return vec2u(params.key0, params.key1); }

@compute @workgroup_size(64)
fn gamma(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * params.size) { return; }
  y[i] = normalOrZero(params.b * gammaScaled(counterOf(i), 0u, keyOf(), aOf(i), 0.0));
}

@compute @workgroup_size(64)
fn beta(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * params.size) { return; }
  let key = keyOf();
  let a = aOf(i);
  let b = bOf(i);
  let top = max(gammaBoost(counterOf(i), 0u, key, a), gammaBoost(counterOf(i), 32u, key, b));
  let first = gammaScaled(counterOf(i), 0u, key, a, top);
  let second = gammaScaled(counterOf(i), 32u, key, b, top);
  y[i] = normalOrZero(first / (first + second));
}

@compute @workgroup_size(64)
fn dirichlet(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  let classes = params.classes;
  if (row * classes >= params.count * params.size) { return; }
  let key = keyOf();
  var top = -3.0e38;
  for (var c = 0u; c < classes; c++) { top = max(top, gammaBoost(counterOf(row * classes + c), 0u, key, tableA[c])); }
  var sum = 0.0;
  for (var c = 0u; c < classes; c++) {
    let v = gammaScaled(counterOf(row * classes + c), 0u, key, tableA[c], top);
    y[row * classes + c] = v;
    sum += v;
  }
  for (var c = 0u; c < classes; c++) { y[row * classes + c] = normalOrZero(y[row * classes + c] / sum); }
}
