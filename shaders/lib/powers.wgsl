// Powers of the terms of an l_p distance, their sum's root and their slopes. The shader that uses this has power_(), p
// as a number or on the device. NaN stays where p is a power of two; the built-ins of a general p may pass over it.

// p = 2^SQUARINGS, or any p if GENERAL.
const SQUARINGS = 0u; // variant
override GENERAL: u32 = 0u;

// |t|^p. log2(0) is not dependable, so tiny terms count as zero.
fn raised(t: vec4f) -> vec4f {
  var r = abs(t);
  if (GENERAL == 1u) {
    return select(vec4f(), exp2(max(power_() * log2(max(r, vec4f(1e-20))), vec4f(-126.0))), r > vec4f(1e-20));
  }
  if (SQUARINGS > 0u) { r = t; }
  for (var s = 0u; s < SQUARINGS; s++) { // unroll
    r *= r;
  }
  return r;
}

// s^(1/p); an infinity and NaN stay.
fn root(s: vec4f) -> vec4f {
  if (GENERAL == 1u) {
    let r = select(vec4f(), exp2(log2(max(s, vec4f(1.2e-38))) / power_()), s > vec4f());
    return select(r, s, bitcast<vec4u>(s) >= vec4u(0x7f800000u));
  }
  var r = s;
  for (var q = 0u; q < SQUARINGS; q++) { // unroll
    r = sqrt(r);
  }
  return r;
}

// |r|^(p-1) sign(r) for |r| <= 1: r^(1 + 2 + 4 + ...) when p is a power of two.
fn slope(r: vec4f) -> vec4f {
  if (GENERAL == 1u) {
    return sign(r) * exp2(max((power_() - 1.0) * log2(clamp(abs(r), vec4f(1e-20), vec4f(1.0))), vec4f(-126.0)));
  }
  var out = vec4f(1.0);
  var factor = r;
  for (var s = 0u; s < SQUARINGS; s++) { // unroll
    out *= factor;
    factor *= factor;
  }
  return out;
}
