// log sum exp over the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements.
//   pieces   terms[o, part, i] = (m, sum of exp(x - m)) over the piece, m its largest element
//   forward  y[o, i] = m + log(sum over parts of s exp(m_part - m)), m the largest of all
// A row whose largest element is beyond +-3e38 is that element: the logarithm is below its last digit, and m - m of an
// infinity would be NaN; that of a row with a NaN is NaN. One invocation a piece or a result; grids (outer * parts *
// inner), (outer * inner).
// use lib/index.wgsl
// use lib/nan.wgsl

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> made: array<vec2f>;
@group(0) @binding(3) var<storage, read> terms: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// exp(v - m) for v <= m; exp(-104) is 0 in f32, and -Infinity stays out of exp
fn expOf(v: f32, m: f32) -> f32 {
  return exp(max(v - clamp(m, -3.4e38, 3.4e38), -150.0));
}

@compute @workgroup_size(64)
fn pieces(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let part = at / params.inner % params.parts;
  let base = at / params.inner / params.parts * params.length * params.inner + at % params.inner;
  let begin = part * params.chunk;
  let end = min(begin + params.chunk, params.length);
  var m = x[base + begin * params.inner];
  var most = 0u;
  for (var l = begin; l < end; l++) {
    let v = x[base + l * params.inner];
    m = max(m, v);
    most = max(most, bitcast<u32>(v) & 0x7fffffffu);
  }
  var sum = 0.0;
  for (var l = begin; l < end; l++) { sum += expOf(x[base + l * params.inner], m); }
  made[at] = vec2f(orNan(m, bitcast<f32>(most)), sum);
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.inner) { return; }
  let base = at / params.inner * params.parts * params.inner + at % params.inner;
  var m = terms[base].x;
  for (var part = 1u; part < params.parts; part++) { m = maxOf(m, terms[base + part * params.inner].x); }
  var sum = 0.0;
  for (var part = 0u; part < params.parts; part++) {
    let t = terms[base + part * params.inner];
    sum += t.y * expOf(t.x, m);
  }
  y[at] = m;
  if (abs(m) < 3.0e38 && !isNan(m)) { y[at] = m + log(sum); }
}
