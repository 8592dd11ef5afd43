// sin and cos within 1.2e-7 of every finite f32, where WGSL lets the built-in ones err by 5e-4 and only on [-pi, pi].

// sin and cos of an angle in [-pi/4, pi/4]: polynomials of Cephes (Moshier), sinf and cosf.
fn sinOctant(x: f32) -> f32 {
  let z = x * x;
  return ((-0.00019515295891 * z + 0.0083321608736) * z - 0.16666654611) * z * x + x;
}

fn cosOctant(x: f32) -> f32 {
  let z = x * x;
  return ((0.00002443315711809948 * z - 0.001388731625493765) * z + 0.04166664568298827) * z * z - 0.5 * z + 1.0;
}

// x / (2 pi) modulo 1 in units of 2^-32, for the bits of a finite x >= pi/4 (Payne and Hanek, 1983): x = m 2^(e - 150)
// with an integer m < 2^24, so of the digits of 1 / (2 pi) only 64 matter, from the one that 2^(e - 150) moves to the
// point.
fn turnsOf(bits: u32) -> u32 {
  let shift = (bits >> 23u) - 118u;
  var digits = vec3u(0u, 0x28be60dbu, 0x9391054au);
  switch (shift >> 5u) {
    case 0u: {}
    case 1u: { digits = vec3u(0x28be60dbu, 0x9391054au, 0x7f09d5f4u); }
    case 2u: { digits = vec3u(0x9391054au, 0x7f09d5f4u, 0x7d4d3770u); }
    case 3u: { digits = vec3u(0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u); }
    default: { digits = vec3u(0x7d4d3770u, 0x36d8a566u, 0x4f10e410u); }
  }
  let left = shift & 31u;
  let high = (digits.x << left) | ((digits.y >> 1u) >> (31u - left));
  let low = (digits.y << left) | ((digits.z >> 1u) >> (31u - left));
  let m = (bits & 0x7fffffu) | 0x800000u;
  return m * high + ((m * (low >> 24u)) >> 8u) + ((m * ((low >> 16u) & 255u)) >> 16u)
    + ((m * ((low >> 8u) & 255u)) >> 24u);
}

// sin(x + quarters pi/2); NaN for an infinity or NaN.
fn circular(x: f32, quarters: u32) -> f32 {
  let bits = bitcast<u32>(x) & 0x7fffffffu;
  if (bits >= 0x7f800000u) { return bitcast<f32>(bits | 0x7fc00000u); }
  var angle = x;
  var quadrant = quarters;
  if (bits >= 0x3f490fdbu) {
    let turns = select(turnsOf(bits), 0u - turnsOf(bits), x < 0.0);
    quadrant += (turns + 0x20000000u) >> 30u;
    angle = f32(bitcast<i32>(turns << 2u)) * 3.6572952e-10;
  }
  let y = select(sinOctant(angle), cosOctant(angle), (quadrant & 1u) == 1u);
  return select(y, -y, (quadrant & 2u) == 2u);
}

fn sinOf(x: f32) -> f32 { return circular(x, 0u); }
fn cosOf(x: f32) -> f32 { return circular(x, 1u); }
