// y = apply(x), elementwise; p and q are the scalars of an op that has any (a slope, the ends of a clamp, an exponent).
// One invocation an element; grid (size).
// use lib/index.wgsl

struct Params { size: u32, p: f32, q: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn apply(x: f32, p: f32, q: f32) -> f32 { return x; } // variant

// log(1 + x): where |x| < 1/2 the series of 2 artanh(t), t = x / (2 + x), to t^13, as WGSL's log may err by 2^-21 there.
fn log1pOf(x: f32) -> f32 {
  let t = x / (2.0 + x);
  let z = t * t;
  let s = 2.0 * t * (1.0 + z * (0.33333334 + z * (0.2 + z * (0.14285715 + z * (0.11111111 + z * (0.09090909 + z * 0.07692308))))));
  return select(log(1.0 + x), s, abs(x) < 0.5);
}

// exp(x) - 1: its Taylor series to x^8 where |x| < 1/2.
fn expm1Of(x: f32) -> f32 {
  let t = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666668 + x * (0.008333334 + x * (0.0013888889 + x * (0.0001984127 + x * 0.000024801588)))))));
  return select(exp(x) - 1.0, t, abs(x) < 0.5);
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  y[i] = apply(x[i], params.p, params.q);
}
