// Softmax and log-softmax over the middle axis of x: (outer, length, inner).
//   forward          y = exp(x - m) / sum exp(x - m), m = max x
//   forwardLog       y = x - m - log sum exp(x - m)
//   backward         dx = y (dy - sum dy y)
//   backwardLog      dx = dy - exp(y) sum dy
// A row with a NaN or with +Infinity, or of -Infinity throughout, gives NaN throughout, as PyTorch's.
// One invocation a row: rows are short (classes), and a tree would need barriers. Grid (outer * inner).
// use lib/index.wgsl
// use lib/nan.wgsl

struct Params { outer: u32, length: u32, inner: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn rowStart(i: u32) -> u32 {
  return i / params.inner * params.length * params.inner + i % params.inner;
}

// The largest element and the sum of exp(x - largest). exp may pass over NaN; the sum of its arguments, none of them
// above 0, is NaN exactly where one of them is.
fn normalizer(base: u32) -> vec2f {
  var m = x[base];
  for (var l = 1u; l < params.length; l++) { m = max(m, x[base + l * params.inner]); }
  var sum = 0.0;
  var arguments = 0.0;
  for (var l = 0u; l < params.length; l++) {
    let t = x[base + l * params.inner] - m;
    arguments += t;
    sum += exp(t);
  }
  return vec2f(m, orNan(sum, arguments));
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.outer * params.inner) { return; }
  let base = rowStart(i);
  let n = normalizer(base);
  for (var l = 0u; l < params.length; l++) {
    let at = base + l * params.inner;
    y[at] = exp(x[at] - n.x) / n.y;
  }
}

@compute @workgroup_size(64)
fn forwardLog(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.outer * params.inner) { return; }
  let base = rowStart(i);
  let n = normalizer(base);
  let shift = orNan(log(n.y), n.y);
  for (var l = 0u; l < params.length; l++) {
    let at = base + l * params.inner;
    y[at] = x[at] - n.x - shift;
  }
}

// x holds the forward result.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.outer * params.inner) { return; }
  let base = rowStart(i);
  var sum = 0.0;
  for (var l = 0u; l < params.length; l++) {
    let at = base + l * params.inner;
    sum += dy[at] * x[at];
  }
  for (var l = 0u; l < params.length; l++) {
    let at = base + l * params.inner;
    y[at] = x[at] * (dy[at] - sum);
  }
}

@compute @workgroup_size(64)
fn backwardLog(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.outer * params.inner) { return; }
  let base = rowStart(i);
  var sum = 0.0;
  for (var l = 0u; l < params.length; l++) { sum += dy[base + l * params.inner]; }
  sum = orNan(sum, x[base]);
  for (var l = 0u; l < params.length; l++) {
    let at = base + l * params.inner;
    y[at] = dy[at] - exp(x[at]) * sum;
  }
}
