// Losses of the probability of the label: y = phi(p), p = softmax(z)[label], for logits z: (rows, classes). Written
// with L = -log p and q = 1 - p, both relatively accurate, so that no loss cancels where p is near 1 or underflows:
//   mix          c0 L + c1 q                                          slope c0 + c1 p
//   power        (1 - p^c0) / c0, L for c0 = 0                        slope p^c0
//   focal        q^c0 L                                               slope q^c0 (1 + c0 p L / q), or q^c0 detached
//   taylor       sum of q^i / i for i in 1..order                     slope 1 - q^order
//   huber        power above p = c3, its tangent of slope -c1 below   slope min(p^c0, c1 p);  c2 = -log c3
//   asymmetric   c2 ((1 + q / c0)^c1 - 1)                             slope c1 c2 / c0 p (1 + q / c0)^(c1 - 1)
//   exponential  e^(-p / c0)                                          slope p e^(-p / c0) / c0
// The slope is dy / dL, and dL / dz = softmax(z) - [c = label]. p is replaced by p + epsilon, and L by `ceiling` above
// it, where the slope is 0. A row whose label lies outside the classes has value and gradient 0. A term whose factor is
// 0 counts for nothing; NaN and +Infinity among the logits of another row give NaN. One invocation a row; grid (rows).
// use lib/index.wgsl
// use lib/log1p.wgsl
// use lib/nan.wgsl
// use lib/pow.wgsl
// use lib/times.wgsl

override KIND: u32 = 0u;
override DETACH: u32 = 0u;

struct Params { rows: u32, classes: u32, order: u32, epsilon: f32, ceiling: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read> constants: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

struct Row { nll: f32, rest: f32, top: f32, sum: f32, nan: f32 }

// L, q, the largest logit, the sum of exp(z - largest), and NaN where a logit makes the row that, else 0.
fn rowOf(base: u32, label: u32) -> Row {
  var top = z[base];
  for (var c = 1u; c < params.classes; c++) { top = max(top, z[base + c]); }
  var others = 0.0;
  var nan = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    let a = z[base + c] - top;
    nan = orNan(nan, a);
    others += select(exp(a), 0.0, c == label);
  }
  let below = top - z[base + label];
  let sum = others + exp(-below);
  return Row(select(below + log(sum), log1pOf(others), below == 0.0), others / sum, top, sum, nan);
}

// (1 - e^(-u L)) / u, held where it would overflow.
fn power(nll: f32, u: f32) -> f32 {
  return select(-expm1Of(clamp(-u * nll, -150.0, 87.0)) / u, nll, u == 0.0);
}

fn probability(nll: f32, rest: f32) -> f32 {
  return select(exp(-nll), 1.0 - rest, rest < 0.5);
}

fn value(nll: f32, q: f32) -> f32 {
  let p = probability(nll, q);
  let c = vec4f(constants[0], constants[1], constants[2], constants[3]);
  if (KIND == 0u) { return times(c.x, nll) + times(c.y, q); }
  if (KIND == 1u) { return power(nll, c.x); }
  if (KIND == 2u) { return powOf(q, c.x) * nll; }
  if (KIND == 3u) {
    var sum = 0.0;
    for (var i = params.order; i >= 1u; i--) { sum = (sum + 1.0 / f32(i)) * q; }
    return sum;
  }
  if (KIND == 4u) { return power(min(nll, c.z), c.x) + c.y * max(c.w - p, 0.0); }
  if (KIND == 5u) { return c.z * expm1Of(c.y * log1pOf(q / c.x)); }
  return exp(-p / c.x);
}

fn slope(nll: f32, q: f32) -> f32 {
  let p = probability(nll, q);
  let c = vec4f(constants[0], constants[1], constants[2], constants[3]);
  if (KIND == 0u) { return c.x + c.y * p; }
  if (KIND == 1u) { return exp(min(-times(c.x, nll), 87.0)); }
  if (KIND == 2u) {
    let ratio = select(nll / q, 1.0, q == 0.0);
    return powOf(q, c.x) * (1.0 + select(times(c.x * p, ratio), 0.0, DETACH == 1u));
  }
  if (KIND == 3u) {
    var sum = 0.0;
    for (var i = 0u; i < params.order; i++) { sum = sum * q + 1.0; }
    return p * sum;
  }
  if (KIND == 4u) { return select(c.y * p, exp(-c.x * nll), nll <= c.z); }
  if (KIND == 5u) { return c.y * c.z / c.x * p * exp((c.y - 1.0) * log1pOf(q / c.x)); }
  return p / c.x * exp(-p / c.x);
}

// -log(p + epsilon) = L - log(1 + epsilon e^L), whose end for p = 0 is -log epsilon.
fn raisedNll(nll: f32) -> f32 {
  let raised = nll - log1pOf(params.epsilon * exp(min(nll, 80.0)));
  return select(raised, -log(params.epsilon), params.epsilon > 0.0 && nll > 80.0);
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.rows) { return; }
  let label = labels[row];
  if (label < 0 || label >= i32(params.classes)) {
    y[row] = 0.0;
    return;
  }
  let r = rowOf(row * params.classes, u32(label));
  y[row] = orNan(value(min(raisedNll(r.nll), params.ceiling), r.rest - params.epsilon), r.nan);
}

// dz = dy slope (softmax(z) - [c = label]), written to y.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.rows) { return; }
  let base = row * params.classes;
  let label = labels[row];
  if (label < 0 || label >= i32(params.classes)) {
    for (var c = 0u; c < params.classes; c++) { y[base + c] = 0.0; }
    return;
  }
  let r = rowOf(base, u32(label));
  let nll = raisedNll(r.nll);
  let raised = 1.0 + params.epsilon * exp(min(r.nll, 80.0));
  let g = times(dy[row], orNan(select(slope(nll, r.rest - params.epsilon) / raised, 0.0, nll > params.ceiling), r.nan));
  for (var c = 0u; c < params.classes; c++) {
    y[base + c] = times(g, select(exp(z[base + c] - r.top) / r.sum, -r.rest, c == u32(label)));
  }
}
