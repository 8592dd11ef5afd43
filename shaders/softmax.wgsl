// Softmax and log-softmax over the middle axis of x: (outer, length, inner).
//   forward          y = exp(x - m) / sum exp(x - m), m = max x
//   forwardLog       y = x - m - log sum exp(x - m)
//   backward         dx = y (dy - sum dy y)
//   backwardLog      dx = dy - exp(y) sum dy
// A row with a NaN or with +Infinity, or of -Infinity throughout, gives NaN throughout, as PyTorch's.
// A row is summed by lanes in a fixed tree (lib/lanes.wgsl), one of a single part in plain order. Rows: outer * inner.
// use lib/lanes.wgsl
// use lib/nan.wgsl

struct Params { outer: u32, length: u32, inner: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

struct Acc { sum: vec4f, top: f32 }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.sum + b.sum, max(a.top, b.top)); }

fn rowStart(i: u32) -> u32 {
  return i / params.inner * params.length * params.inner + i % params.inner;
}

// Elements of a row; none past the last.
fn lengthOf(row: u32) -> u32 { return select(0u, params.length, row < params.outer * params.inner); }

fn fourOfX(at: u32) -> vec4f {
  let i = params.inner;
  return vec4f(x[at], x[at + i], x[at + 2u * i], x[at + 3u * i]);
}

fn fourOfDy(at: u32) -> vec4f {
  let i = params.inner;
  return vec4f(dy[at], dy[at + i], dy[at + 2u * i], dy[at + 3u * i]);
}

// Four terms: 0 of sum exp(x - m), 1 of sum dy x, 2 of sum dy. exp may pass over NaN.
fn terms(kind: u32, at: u32, m: f32) -> vec4f {
  if (kind == 2u) { return fourOfDy(at); }
  if (kind == 1u) { return fourOfDy(at) * fourOfX(at); }
  let t = fourOfX(at) - m;
  return orNan4(exp(t), t);
}

fn fewTerms(kind: u32, base: u32, l: u32, end: u32, m: f32) -> vec4f {
  if (l >= end) { return vec4f(); }
  return select(vec4f(), terms(kind, base + l * params.inner, m), vec4u(l, l + 1u, l + 2u, l + 3u) < vec4u(end));
}

// For a row of a single part. The sum of the arguments of exp, none of them above 0, is NaN exactly where one of them
// is.
fn plainSum(kind: u32, base: u32, n: u32, m: f32) -> f32 {
  var sum = 0.0;
  var arguments = 0.0;
  for (var l = 0u; l < n; l++) {
    let at = base + l * params.inner;
    if (kind == 2u) {
      sum += dy[at];
    } else if (kind == 1u) {
      sum += dy[at] * x[at];
    } else {
      let t = x[at] - m;
      arguments += t;
      sum += exp(t);
    }
  }
  return orNan(sum, arguments);
}

fn sumOf(p: Place, kind: u32, base: u32, m: f32) -> f32 {
  let n = lengthOf(p.row);
  if (PARTS == 1u) { return plainSum(kind, base, n, m); }
  let none = Acc(vec4f(), m);
  var all = none;
  var a = fewTerms(kind, base, restOf(p, n), restEnd(p, n), m);
  var b = vec4f();
  if (TAKES == 2u) { b = fewTerms(kind, base, restOf(p, n) + 4u, n, m); }
  for (var part = firstPart(p); part < endPart(p); part++) {
    let s = spanOf(p, part, n);
    for (var l = s.x; l < s.y; l += 8u) {
      let at = base + l * params.inner;
      a += terms(kind, at, m);
      if (TAKES == 2u) { b += terms(kind, at + 4u * params.inner, m); }
    }
    all = addPart(all, Acc(a, m), Acc(b, m));
    a = vec4f();
    b = vec4f();
  }
  all = across(p, all, none);
  return (all.sum.x + all.sum.y) + (all.sum.z + all.sum.w);
}

// The largest element; anything where one is NaN.
fn topOf(p: Place, base: u32) -> f32 {
  let n = lengthOf(p.row);
  var m = x[base];
  let none = Acc(vec4f(), m);
  for (var l = p.lane; l < n; l += hop()) { m = max(m, x[base + l * params.inner]); }
  return across(p, Acc(vec4f(), m), none).top;
}

@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let base = rowStart(p.row);
  let m = topOf(p, base);
  let sum = sumOf(p, 0u, base, m);
  for (var l = p.lane; l < lengthOf(p.row); l += hop()) {
    let at = base + l * params.inner;
    y[at] = exp(x[at] - m) / sum;
  }
}

@compute @workgroup_size(GROUP)
fn forwardLog(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let base = rowStart(p.row);
  let m = topOf(p, base);
  let sum = sumOf(p, 0u, base, m);
  let shift = orNan(log(sum), sum);
  for (var l = p.lane; l < lengthOf(p.row); l += hop()) {
    let at = base + l * params.inner;
    y[at] = x[at] - m - shift;
  }
}

// x holds the forward result.
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let base = rowStart(p.row);
  let sum = sumOf(p, 1u, base, 0.0);
  for (var l = p.lane; l < lengthOf(p.row); l += hop()) {
    let at = base + l * params.inner;
    y[at] = x[at] * (dy[at] - sum);
  }
}

@compute @workgroup_size(GROUP)
fn backwardLog(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let base = rowStart(p.row);
  let sum = orNan(sumOf(p, 2u, base, 0.0), x[base]);
  for (var l = p.lane; l < lengthOf(p.row); l += hop()) {
    let at = base + l * params.inner;
    y[at] = dy[at] - exp(x[at]) * sum;
  }
}
