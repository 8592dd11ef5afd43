// Adjusted cross-entropy of logits z: (rows, classes) with labels y:
//   a_c = s (scale_c z_c + shift_c - margin_c [c = y]),  nll = logsumexp(a) - a_y
//   value = weight_y sampleWeight ((1 - eps) nll + eps / classes * sum_c (weight_c / weight_y) (logsumexp(a) - a_c))
// classTable holds scale, shift, margin and weight, four rows of `classes`. A row whose label is the ignored one, or
// lies outside 0..classes-1, has value and gradient zero; the second kind is counted in `bad`. A term whose factor is 0
// counts for nothing, whatever it is; NaN and +Infinity among the logits of any other row give NaN.
// One invocation a row; grid (rows). `reduce` takes a row by lanes (lib/lanes.wgsl); very long ones are summed in parts
// first.
// use lib/index.wgsl
// use lib/lanes.wgsl
// use lib/nan.wgsl
// use lib/times.wgsl

override SAMPLE_WEIGHT: u32 = 0u;
// 0 none, 1 mean over rows, 2 sum, 3 sum of values / sum of weights
override REDUCTION: u32 = 1u;

struct Params { rows: u32, classes: u32, ignore: i32, s: f32, smoothing: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read> classTable: array<f32>;
@group(0) @binding(4) var<storage, read> sampleWeight: array<f32>;
@group(0) @binding(5) var<storage, read> dLoss: array<f32>;
@group(0) @binding(6) var<storage, read> total: array<f32>;
@group(0) @binding(7) var<storage, read_write> values: array<f32>;
@group(0) @binding(8) var<storage, read_write> bad: array<atomic<u32>>;
@group(0) @binding(9) var<storage, read_write> loss: array<f32>;

fn adjusted(row: u32, c: u32, label: u32) -> f32 {
  let k = params.classes;
  let margin = select(0.0, classTable[2u * k + c], c == label);
  return params.s * (classTable[c] * z[row * k + c] + classTable[k + c] - margin);
}

fn classWeight(c: u32) -> f32 { return classTable[3u * params.classes + c]; }

// The weight that divides a weighted mean, as in PyTorch: that of the label, times that of the sample.
fn rowWeight(row: u32, label: u32) -> f32 {
  var w = classWeight(label);
  if (SAMPLE_WEIGHT == 1u) { w *= sampleWeight[row]; }
  return w;
}

// False for a row that counts for nothing.
fn counts(label: i32) -> bool {
  return label >= 0 && label < i32(params.classes) && label != params.ignore;
}

// values: three rows of `rows`: losses, weights, and 1 for each row that is not ignored.
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.rows) { return; }
  let at = labels[row];
  if (!counts(at)) {
    if (at != params.ignore) { atomicAdd(&bad[0], 1u); }
    values[row] = 0.0;
    values[params.rows + row] = 0.0;
    values[2u * params.rows + row] = 0.0;
    return;
  }
  let label = u32(at);
  var m = adjusted(row, 0u, label);
  for (var c = 1u; c < params.classes; c++) { m = max(m, adjusted(row, c, label)); }
  var sum = 0.0;
  var weighted = 0.0;
  var weights = 0.0;
  var nan = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    let a = adjusted(row, c, label) - m;
    nan = orNan(nan, a);
    sum += exp(a);
    weighted += times(classWeight(c), a);
    weights += classWeight(c);
  }
  let lse = log(sum);
  let hard = times((1.0 - params.smoothing) * classWeight(label), orNan(lse - (adjusted(row, label, label) - m), nan));
  var value = hard + times(params.smoothing / f32(params.classes), orNan(weights * lse - weighted, nan));
  if (SAMPLE_WEIGHT == 1u) { value = times(sampleWeight[row], value); }
  values[row] = value;
  values[params.rows + row] = rowWeight(row, label);
  values[2u * params.rows + row] = 1.0;
}

struct Acc { sum: vec4f, weight: vec4f, count: vec4f }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.sum + b.sum, a.weight + b.weight, a.count + b.count); }

fn four(at: u32) -> vec4f { return vec4f(z[at], z[at + 1u], z[at + 2u], z[at + 3u]); }

// Elements of z from `at` on, 0 in place of all but the first `count`.
fn fewOf(at: u32, count: u32) -> vec4f { return select(vec4f(), four(at), vec4u(0u, 1u, 2u, 3u) < vec4u(count)); }

fn rowsFrom(row: u32) -> Acc {
  return Acc(four(row), four(params.rows + row), four(2u * params.rows + row));
}

fn fewRows(row: u32, end: u32) -> Acc {
  let count = max(end, row) - row;
  return Acc(fewOf(row, count), fewOf(params.rows + row, count), fewOf(2u * params.rows + row, count));
}

fn summed(v: vec4f) -> f32 { return (v.x + v.y) + (v.z + v.w); }

// loss[0] = the reduced value, loss[1] = the factor of every row's gradient; z holds `values`, or sums of its parts.
// One row of lanes.
@compute @workgroup_size(GROUP)
fn reduce(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let n = select(0u, params.rows, p.row == 0u);
  var all = Acc();
  var a = fewRows(restOf(p, n), restEnd(p, n));
  var b = Acc();
  if (TAKES == 2u) { b = fewRows(restOf(p, n) + 4u, n); }
  for (var part = firstPart(p); part < endPart(p); part++) {
    let s = spanOf(p, part, n);
    for (var row = s.x; row < s.y; row += 8u) {
      a = join(a, rowsFrom(row));
      if (TAKES == 2u) { b = join(b, rowsFrom(row + 4u)); }
    }
    all = addPart(all, a, b);
    a = Acc();
    b = Acc();
  }
  all = across(p, all, Acc());
  if (p.row > 0u || p.lane > 0u) { return; }
  var divisor = 1.0;
  if (REDUCTION == 1u) { divisor = summed(all.count); }
  if (REDUCTION == 3u) { divisor = summed(all.weight); }
  loss[0] = select(0.0, summed(all.sum) / divisor, divisor > 0.0);
  loss[1] = select(0.0, 1.0 / divisor, divisor > 0.0);
}

// dz_c = g s scale_c ((1 - eps) weight_y (p_c - [c = y]) + eps / classes (p_c sum_j weight_j - weight_c)),
// p = softmax(a), g = dLoss * sampleWeight * (the divisor of the mean, in total[1]).
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.rows) { return; }
  let base = row * params.classes;
  let at = labels[row];
  if (!counts(at)) {
    for (var c = 0u; c < params.classes; c++) { values[base + c] = 0.0; }
    return;
  }
  let label = u32(at);
  var g = params.s;
  if (REDUCTION == 0u) { g *= dLoss[row]; } else { g *= dLoss[0] * total[1]; }
  if (SAMPLE_WEIGHT == 1u) { g *= sampleWeight[row]; }
  var m = adjusted(row, 0u, label);
  for (var c = 1u; c < params.classes; c++) { m = max(m, adjusted(row, c, label)); }
  var sum = 0.0;
  var weights = 0.0;
  var nan = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    let a = adjusted(row, c, label) - m;
    nan = orNan(nan, a);
    sum += exp(a);
    weights += classWeight(c);
  }
  let hard = (1.0 - params.smoothing) * classWeight(label);
  let soft = params.smoothing / f32(params.classes);
  for (var c = 0u; c < params.classes; c++) {
    let p = orNan(exp(adjusted(row, c, label) - m) / sum, nan);
    let d = times(hard, p - select(0.0, 1.0, c == label)) + times(soft, p * weights - classWeight(c));
    values[base + c] = times(g, classTable[c] * d);
  }
}
