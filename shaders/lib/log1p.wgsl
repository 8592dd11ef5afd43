// Logarithm and exponential that stay accurate near 1 and 0, say what they give outside their range, and keep NaN.
// use lib/nan.wgsl

// log x: -Infinity at 0 and NaN below, where the built-in one may give any finite value.
fn logOf(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if (bits < 0x80000000u && bits != 0u) { return orNan(log(x), x); }
  return bitcast<f32>(select(bits | 0x7fc00000u, (bits & 0x80000000u) | 0xff800000u, x == 0.0));
}

// log(1 + x): where |x| < 1/2 the series of 2 artanh(t), t = x / (2 + x), to t^13, as WGSL's log may err by 2^-21
// there.
fn log1pOf(x: f32) -> f32 {
  let t = x / (2.0 + x);
  let z = t * t;
  let s = 2.0 * t * (1.0 + z * (0.33333334 + z * (0.2 + z
    * (0.14285715 + z * (0.11111111 + z * (0.09090909 + z * 0.07692308))))));
  return select(logOf(1.0 + x), s, abs(x) < 0.5);
}

fn expOf(x: f32) -> f32 { return orNan(exp(x), x); }

// exp(x) - 1: its Taylor series to x^8 where |x| < 1/2.
fn expm1Of(x: f32) -> f32 {
  let t = x * (1.0 + x * (0.5 + x * (0.16666667 + x
    * (0.041666668 + x * (0.008333334 + x * (0.0013888889 + x * (0.0001984127 + x * 0.000024801588)))))));
  return select(expOf(x) - 1.0, t, abs(x) < 0.5);
}
