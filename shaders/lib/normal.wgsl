// Standard normals by Box-Muller. sin, cos and log are our own polynomials: WGSL lets the built-in sin err by 5e-4, and
// the twin in src/random/normal.ts can repeat sums and products exactly. Only +, -, * and sqrt of f32 are used.

// log of x in (0, 1], x = 2^e m with m in [sqrt(1/2), sqrt(2)); minimax polynomial of log(1 + t), error below 1e-7.
fn logUnit(x: f32) -> f32 {
  let bits = bitcast<u32>(x) + 0x4afb0du;
  let e = f32(i32(bits >> 23u) - 127);
  let t = bitcast<f32>((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0;
  let z = t * t;
  var p = 0.070376836292 * t - 0.1151461031;
  p = p * t + 0.11676998740;
  p = p * t - 0.12420140846;
  p = p * t + 0.14249322787;
  p = p * t - 0.16668057665;
  p = p * t + 0.20000714765;
  p = p * t - 0.24999993993;
  p = p * t + 0.33333331174;
  let y = p * t * z + e * -0.000212194440 - 0.5 * z;
  return t + y + e * 0.693359375;
}

// (cos, sin) of 2 pi bits / 2^32: the top bits give the quadrant exactly, the rest an angle in [-pi/4, pi/4).
fn circle(bits: u32) -> vec2f {
  let quadrant = (bits + 0x20000000u) >> 30u;
  let x = f32(bitcast<i32>(bits - (quadrant << 30u)) >> 6u) * 9.362676e-8;
  let z = x * x;
  let s = ((-0.00019515295891 * z + 0.0083321608736) * z - 0.16666654611) * z * x + x;
  let c = ((0.00002443315711809948 * z - 0.001388731625493765) * z + 0.04166664568298827) * z * z - 0.5 * z + 1.0;
  if (quadrant == 0u) { return vec2f(c, s); }
  if (quadrant == 1u) { return vec2f(-s, c); }
  if (quadrant == 2u) { return vec2f(-c, -s); }
  return vec2f(s, -c);
}

// Four normals from 128 random bits. The radius takes 24 bits, so no value lies beyond 5.77 standard deviations.
fn normals(r: vec4u) -> vec4f {
  let a = sqrt(-2.0 * logUnit(f32((r.x >> 8u) + 1u) * 5.9604645e-8)) * circle(r.y);
  let b = sqrt(-2.0 * logUnit(f32((r.z >> 8u) + 1u) * 5.9604645e-8)) * circle(r.w);
  return vec4f(a, b);
}
