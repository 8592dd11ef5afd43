// a to the power b, by the rules of C's pow (IEEE 754), of which WGSL promises those of a finite a > 0 at most. a^0 = 1
// and 1^b = 1 for everything, NaN too; else NaN goes through. A negative base keeps its sign for odd b, and gives NaN
// for a b that is no integer.
// use lib/nan.wgsl

fn powOf(a: f32, b: f32) -> f32 {
  if ((bitcast<u32>(b) << 1u) == 0u || bitcast<u32>(a) == 0x3f800000u) { return 1.0; }
  if (isNan(a) || isNan(b)) { return orNan(b, a); }
  let size = abs(a);
  if (abs(b) > 3.4028234e38) { return select(select(0.0, abs(b), (size > 1.0) == (b > 0.0)), 1.0, size == 1.0); }
  var y: f32;
  if (size == 0.0 || size > 3.4028234e38) {
    // 0 or infinite, and so is the reciprocal.
    y = select(size, 1.0 / size, b < 0.0);
  } else if (size < 1.1754944e-38) {
    // log2 of a subnormal number may be anything.
    y = pow(size * 16777216.0, b) * exp2(-24.0 * b);
  } else {
    y = pow(size, b);
  }
  if (bitcast<u32>(a) < 0x80000000u) { return y; }
  let isBetween = size != 0.0 && size <= 3.4028234e38;
  if (isBetween && floor(b) != b) { return bitcast<f32>(bitcast<u32>(a) | 0x7fc00000u); }
  return select(y, -y, fract(abs(b) * 0.5) == 0.5);
}
