// Standard normals by Box-Muller. sin, cos, log and exp are our own polynomials: WGSL lets the built-in sin err by 5e-4, and
// the twin in src/random/normal.ts can repeat sums and products exactly. Only +, -, * and sqrt of f32 are used.

// A uniform in the open interval (0, 1): the middles of 2^23 equal parts, all exact.
fn unitOpen(word: u32) -> f32 {
  return (f32(word >> 9u) + 0.5) * 1.1920929e-7;
}

// log of a normal x > 0, x = 2^e m with m in [sqrt(1/2), sqrt(2)); minimax polynomial of log(1 + t), error below 1e-7 on (0, 1].
fn logOf(x: f32) -> f32 {
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

// e^x for x <= 0, zero below -87, where results cease to be normal numbers; relative error below 2e-7.
fn expNegative(x: f32) -> f32 {
  if (x < -87.0) { return 0.0; }
  let n = floor(x * 1.44269504 + 0.5);
  let r = (x - n * 0.693359375) - n * -0.00021219444;
  var p = 0.00019875691500 * r + 0.0013981999507;
  p = p * r + 0.0083334519073;
  p = p * r + 0.041665795894;
  p = p * r + 0.16666665459;
  p = p * r + 0.50000001201;
  return (p * r * r + r + 1.0) * bitcast<f32>(u32(i32(n) + 127) << 23u);
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

// sqrt(-2 log u) for u in (0, 1] from the top 24 bits of a word.
fn radiusOf(word: u32) -> f32 {
  return sqrt(-2.0 * logOf(f32((word >> 8u) + 1u) * 5.9604645e-8));
}

// Four normals from 128 random bits. The radius takes 24 bits, so no value lies beyond 5.77 standard deviations.
fn normals(r: vec4u) -> vec4f {
  return vec4f(radiusOf(r.x) * circle(r.y), radiusOf(r.z) * circle(r.w));
}
