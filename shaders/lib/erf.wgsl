// The error function and the normal distribution function. Our own minimax polynomials: approximation errors 1.3e-9
// (erf of |x| < 1) and 5e-9 (erfc), both relative; the rest is rounding and WGSL's exp.

// erf on (-1, 1), relatively accurate at 0.
fn erfNear(x: f32) -> f32 {
  let z = x * x;
  return x + x * (0.12837917 + z * (-0.37612626 + z
    * (0.11283585 + z * (-0.026853815 + z * (0.0051883315 + z * (-0.0008010223 + z * 0.0000785395))))));
}

// erfc(t) = e^(-t^2) s P(s) with s = 1 / (1 + 0.35 t), for t >= 1; relatively accurate until it underflows.
fn erfcFar(t: f32) -> f32 {
  let c = min(t, 10.0);
  let s = 1.0 / (1.0 + 0.35 * c);
  let p = 0.19749413 + s * (0.19686367 + s * (0.19097552 + s
    * (0.13203253 + s * (0.2196477 + s * (-0.09446877 + s * (0.26027492 + s * -0.10288565))))));
  return exp(-c * c) * s * p;
}

fn erfOf(x: f32) -> f32 {
  let far = 1.0 - erfcFar(abs(x));
  return select(select(far, -far, x < 0.0), erfNear(x), abs(x) < 1.0);
}

// P[N(0, 1) <= x] = erfc(-x / sqrt(2)) / 2, relatively accurate for negative x too.
fn normalCdf(x: f32) -> f32 {
  let t = x * 0.70710678;
  let tail = 0.5 * erfcFar(abs(t));
  return select(select(1.0 - tail, tail, x < 0.0), 0.5 + 0.5 * erfNear(t), abs(t) < 1.0);
}

// Density of N(0, 1); 0 beyond 13, where its products with x vanish too.
fn normalDensity(x: f32) -> f32 {
  let c = min(abs(x), 13.0);
  return select(0.3989423 * exp(-0.5 * c * c), 0.0, abs(x) > 13.0);
}
