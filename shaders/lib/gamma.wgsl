// Gamma variates by Marsaglia and Tsang ("A simple method for generating gamma variables", ACM TOMS 2000), each from
// counters of its own; NaN for a shape that is NaN. Needs lib/nan.wgsl, lib/philox.wgsl and lib/normal.wgsl;
// src/random/gamma.ts is the twin, bit for bit where nothing is fused.

// v, or 0 where v is too small for a normal number: adapters differ in what they keep of those.
fn normalOrZero(v: f32) -> f32 {
  return select(0.0, v, v >= 1.1754944e-38 || isNan(v));
}

// log u / shape with u of the counter with `sub` in the last place for shape < 1, else 0: a draw of that shape is one
// of shape + 1 times e^this. Kept as a logarithm, since it underflows for small shapes and quotients of draws need not.
fn gammaBoost(at: vec3u, sub: u32, key: vec2u, shape: f32) -> f32 {
  if (shape >= 1.0) { return 0.0; }
  return max(logOf(unitOpen(philox(vec4u(at, sub), key).x)) / shape, -3.0e38);
}

// A draw of shape, or of shape + 1 below 1. Attempt k takes the counter with sub + k in the last place; at least 95.1 %
// are accepted, so all 16 are refused with a probability below 2e-21; then the draw is d.
fn gammaDraw(at: vec3u, sub: u32, key: vec2u, shape: f32) -> f32 {
  let d = select(shape, shape + 1.0, shape < 1.0) - 0.33333334;
  let c = 1.0 / sqrt(9.0 * d);
  for (var attempt = 1u; attempt <= 16u; attempt++) {
    let r = philox(vec4u(at, sub + attempt), key);
    let x = radiusOf(r.x) * circle(r.y).x;
    let t = 1.0 + c * x;
    if (t > 0.0) {
      let v = t * t * t;
      if (logOf(unitOpen(r.z)) < 0.5 * x * x + d * (1.0 - v + logOf(v))) { return d * v; }
    }
  }
  return d;
}

// A draw of shape, divided by e^top.
fn gammaScaled(at: vec3u, sub: u32, key: vec2u, shape: f32, top: f32) -> f32 {
  return orNan(normalOrZero(gammaDraw(at, sub, key, shape) * expNegative(gammaBoost(at, sub, key, shape) - top)),
    shape);
}
