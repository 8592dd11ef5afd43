// The quantile of the standard normal distribution, Wichura's AS 241 in its single precision form (Applied Statistics
// 37, 1988; relative error 1e-7 before rounding). Probabilities below the least normal number count as it, and those
// within 2^-24 of 1 as that: the result is always finite, from -12.9 to 5.3.

fn normalQuantileOf(p: f32) -> f32 {
  let q = p - 0.5;
  if (abs(q) <= 0.425) {
    let r = 0.180625 - q * q;
    let a = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179;
    let b = ((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1.0;
    return q * a / b;
  }
  let tail = select(max(1.0 - p, 5.9604645e-8), max(p, 1.1754944e-38), q < 0.0);
  let t = sqrt(-log(tail));
  var r = t - 1.6;
  var y = (((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777)
    / ((0.12021132975 * r + 0.7370016425) * r + 1.0);
  if (t > 5.0) {
    r = t - 5.0;
    y = (((0.017337203997 * r + 0.42868294337) * r + 3.081226386) * r + 6.657905115)
      / ((0.012258202635 * r + 0.24197894225) * r + 1.0);
  }
  return select(y, -y, q < 0.0);
}
