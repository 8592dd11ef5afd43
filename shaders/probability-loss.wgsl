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
// 0 counts for nothing; NaN and +Infinity among the logits of another row give NaN. A row is summed by lanes in a fixed
// tree (lib/lanes.wgsl), one of a single part in plain order; grid (rows).
// use lib/lanes.wgsl
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

struct Acc { sum: vec4f, top: f32 }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.sum + b.sum, max(a.top, b.top)); }

// The n classes of a row, 0 where it has no label.
struct Task { base: u32, label: u32, n: u32 }

fn taskOf(row: u32) -> Task {
  let label = labels[row];
  let isThere = row < params.rows && label >= 0 && label < i32(params.classes);
  return Task(row * params.classes, u32(label), select(0u, params.classes, isThere));
}

struct Row { nll: f32, rest: f32, top: f32, sum: f32, nan: f32 }

// exp(z - top) of four classes, 0 for the label. exp may pass over NaN.
fn terms(task: Task, c: u32, top: f32) -> vec4f {
  let at = task.base + c;
  let a = vec4f(z[at], z[at + 1u], z[at + 2u], z[at + 3u]) - top;
  return select(orNan4(exp(a), a), vec4f(), vec4u(c, c + 1u, c + 2u, c + 3u) == vec4u(task.label));
}

fn fewTerms(task: Task, c: u32, end: u32, top: f32) -> vec4f {
  if (c >= end) { return vec4f(); }
  return select(vec4f(), terms(task, c, top), vec4u(c, c + 1u, c + 2u, c + 3u) < vec4u(end));
}

fn treeSum(p: Place, task: Task, top: f32) -> f32 {
  let none = Acc(vec4f(), top);
  var all = none;
  var a = fewTerms(task, restOf(p, task.n), restEnd(p, task.n), top);
  var b = vec4f();
  if (TAKES == 2u) { b = fewTerms(task, restOf(p, task.n) + 4u, task.n, top); }
  var part = firstPart(p);
  loop {
    let s = spanOf(p, part, task.n);
    var c = s.x;
    if (c < s.y) {
      loop {
        a += terms(task, c, top);
        if (TAKES == 2u) { b += terms(task, c + 4u, top); }
        c += 8u;
        if (c >= s.y) { break; }
      }
    }
    all = addPart(all, Acc(a, top), Acc(b, top));
    a = vec4f();
    b = vec4f();
    part += 1u;
    if (part >= endPart(p)) { break; }
  }
  all = across(p, all, none);
  return (all.sum.x + all.sum.y) + (all.sum.z + all.sum.w);
}

// L, q, the largest logit, the sum of exp(z - largest), and NaN where a logit makes the row that, else 0.
fn rowOf(p: Place, task: Task) -> Row {
  var most = z[task.base];
  let none = Acc(vec4f(), most);
  for (var c = afterFirst(p); c < task.n; c += hop()) { most = max(most, z[task.base + c]); }
  let top = across(p, Acc(vec4f(), most), none).top;
  let below = top - z[task.base + task.label];
  var others = 0.0;
  var nan = 0.0;
  if (PARTS > 1u) {
    others = treeSum(p, task, top);
    nan = orNan(orNan(nan, others), below);
  } else {
    for (var c = 0u; c < task.n; c++) {
      let a = z[task.base + c] - top;
      nan = orNan(nan, a);
      others += select(exp(a), 0.0, c == task.label);
    }
  }
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

@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let task = taskOf(p.row);
  let r = rowOf(p, task);
  if (p.lane > 0u || p.row >= params.rows) { return; }
  let v = orNan(value(min(raisedNll(r.nll), params.ceiling), r.rest - params.epsilon), r.nan);
  y[p.row] = select(0.0, v, task.n > 0u);
}

// dz = dy slope (softmax(z) - [c = label]), written to y.
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let task = taskOf(p.row);
  let r = rowOf(p, task);
  let end = select(0u, params.classes, p.row < params.rows);
  if (task.n == 0u) {
    for (var c = p.lane; c < end; c += hop()) { y[task.base + c] = 0.0; }
    return;
  }
  let nll = raisedNll(r.nll);
  let raised = 1.0 + params.epsilon * exp(min(r.nll, 80.0));
  let s = select(slope(nll, r.rest - params.epsilon) / raised, 0.0, nll > params.ceiling);
  let g = times(dy[p.row], orNan(s, r.nan));
  for (var c = p.lane; c < end; c += hop()) {
    y[task.base + c] = times(g, select(exp(z[task.base + c] - r.top) / r.sum, -r.rest, c == task.label));
  }
}
