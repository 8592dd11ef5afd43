// Variance over the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements.
//   pieces   moments[o, part, i] = (mean of x - k, sum of (x - k - mean)^2) over the piece, k = x[o, 0, i]
//   forward  y[o, i] = finish(sum of squares about the common mean / divisor), of the pieces' moments by the rule of
//            Chan, Golub and LeVeque (1983): sum over parts of m2 + n (mean - common mean)^2
// Values are taken relative to k, so that a mean far from zero costs no digits; what rounding leaves in the sum s of
// deviations goes off again as s^2 / n. One invocation a piece or a result; grids (outer * parts * inner), (outer *
// inner).
// use lib/index.wgsl
// use lib/nan.wgsl

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32, divisor: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> made: array<vec2f>;
@group(0) @binding(3) var<storage, read> moments: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn finish(v: f32) -> f32 { return v; } // variant

@compute @workgroup_size(64)
fn pieces(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let part = at / params.inner % params.parts;
  let base = at / params.inner / params.parts * params.length * params.inner + at % params.inner;
  let begin = part * params.chunk;
  let end = min(begin + params.chunk, params.length);
  let n = f32(end - begin);
  let k = x[base];
  var sum = 0.0;
  for (var l = begin; l < end; l++) { sum += x[base + l * params.inner] - k; }
  let mean = sum / n;
  var s = 0.0;
  var q = 0.0;
  for (var l = begin; l < end; l++) {
    let d = x[base + l * params.inner] - k - mean;
    s += d;
    q += d * d;
  }
  made[at] = vec2f(mean + s / n, q - s * s / n);
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.inner) { return; }
  let base = at / params.inner * params.parts * params.inner + at % params.inner;
  let last = f32(params.length - (params.parts - 1u) * params.chunk);
  var sum = 0.0;
  for (var part = 0u; part < params.parts; part++) {
    let n = select(f32(params.chunk), last, part + 1u == params.parts);
    sum += n * moments[base + part * params.inner].x;
  }
  let mean = sum / f32(params.length);
  var s = 0.0;
  var q = 0.0;
  for (var part = 0u; part < params.parts; part++) {
    let n = select(f32(params.chunk), last, part + 1u == params.parts);
    let m = moments[base + part * params.inner];
    let d = m.x - mean;
    s += n * d;
    q += m.y + n * d * d;
  }
  y[at] = finish(maxOf(q - s * s / f32(params.length), 0.0) / params.divisor);
}
