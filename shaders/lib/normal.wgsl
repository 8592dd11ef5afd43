// Standard normals by Box-Muller. sin, cos, log and exp are our own polynomials: WGSL lets the built-in sin err by
// 5e-4, and the twin in src/random/box-muller.ts can repeat sums and products exactly. Only +, -, * and sqrt of f32 are
// used. Bits are masked where they could be shifted, and the power of two taken as a factor, which is exact: software
// adapters shift slowly.

// A uniform in the open interval (0, 1): the middles of 2^23 equal parts, all exact.
fn unitOpen(word: u32) -> f32 {
  return (f32(word & 0xfffffe00u) * 0.001953125 + 0.5) * 1.1920929e-7;
}

// log of a normal x > 0, x = 2^e m with m in [sqrt(1/2), sqrt(2)); minimax polynomial of log(1 + t), error below 1e-7
// on (0, 1].
fn logOf(x: f32) -> f32 {
  let bits = bitcast<u32>(x) + 0x4afb0du;
  let e = f32(bitcast<i32>(bits & 0xff800000u)) * 1.1920928955078125e-7 - 127.0;
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
  return (p * r * r + r + 1.0) * bitcast<f32>(u32(i32(n) + 127) * 0x800000u);
}

// (cos, sin) of 2 pi bits / 2^32: the top bits give the quadrant exactly, the rest an angle in [-pi/4, pi/4).
fn circle(bits: u32) -> vec2f {
  let turn = bits + 0x20000000u;
  let angle = bits - (turn & 0xc0000000u);
  let x = f32(bitcast<i32>(angle & 0xffffffc0u)) * (0.015625 * 9.362676e-8);
  let z = x * x;
  let s = ((-0.00019515295891 * z + 0.0083321608736) * z - 0.16666654611) * z * x + x;
  let c = ((0.00002443315711809948 * z - 0.001388731625493765) * z + 0.04166664568298827) * z * z - 0.5 * z + 1.0;
  // Exchanged in odd quadrants; the cosine is negative in 1 and 2, the sine in 2 and 3. No branches: neighbours differ
  // in quadrant.
  let turned = select(vec2f(c, s), vec2f(s, c), (turn & 0x40000000u) != 0u);
  let signs = vec2u(turn + 0x40000000u, turn) & vec2u(0x80000000u);
  return bitcast<vec2f>(bitcast<vec2u>(turned) ^ signs);
}

// sqrt(-2 log u) for u in (0, 1] from the top 24 bits of a word.
fn radiusOf(word: u32) -> f32 {
  return sqrt(-2.0 * logOf((f32(word & 0xffffff00u) * 0.00390625 + 1.0) * 5.9604645e-8));
}

// Four normals from 128 random bits. The radius takes 24 bits, so no value lies beyond 5.77 standard deviations.
fn normals(r: vec4u) -> vec4f {
  return vec4f(radiusOf(r.x) * circle(r.y), radiusOf(r.z) * circle(r.w));
}
