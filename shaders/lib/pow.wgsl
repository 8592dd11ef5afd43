// a to the power b. WGSL leaves pow of a negative base open: an integer b keeps its sign rule, any other b gives NaN.
// a^0 = 1 for every a, and a negative power of 0 is infinite, where exp2(log2) may stop short.
fn powOf(a: f32, b: f32) -> f32 {
  if (b == 0.0) { return 1.0; }
  if (a == 0.0 && b < 0.0) { return 1.0 / abs(a); }
  let y = pow(abs(a), b);
  if (!(a < 0.0)) { return y; }
  if (floor(b) != b) { return bitcast<f32>(bitcast<u32>(a) | 0x7fc00000u); }
  return select(y, -y, fract(abs(b) * 0.5) == 0.5);
}
