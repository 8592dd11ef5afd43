// Elementwise ops: what their bodies may call, and the kernel of the simplest one, y = x. src/gpu/chain.ts writes the
// others: it keeps all above `Params`, and writes what follows for the operands and results at hand, of one op or a
// chain of them.
//   words  sizes and strides of the axes of broadcast operands, and values that are the same for all elements
//   zero   0, which the compiler does not know
// One invocation per element, or a vector of four where all operands allow it; size counts those. Grid (size).
// use lib/index.wgsl
// use lib/erf.wgsl
// use lib/log1p.wgsl
// use lib/nan.wgsl
// use lib/normal-quantile.wgsl
// use lib/pow.wgsl
// use lib/sincos.wgsl

// x where it is above 0 or NaN, else 0: the bits of 0 and of what is below run from 0x80000000 to those of -Infinity.
fn reluOf(x: f32) -> f32 {
  return select(x, 0.0, bitcast<u32>(x) - 0x80000000u <= 0x7f800000u);
}

fn clampOf(x: f32, low: f32, high: f32) -> f32 {
  return orNan(select(select(x, low, x < low), high, x > high), x);
}

fn signOf(x: f32) -> f32 { return orNan(sign(x), x); }

// tanh: our own minimax polynomial where |x| < 0.64 (relative error 6e-9), else 1 - 2 / (e^2|x| + 1).
fn tanhOf(x: f32) -> f32 {
  let z = x * x;
  let near = x + x * z * (-0.3333327 + z * (0.13331093 + z * (-0.05370966 + z * (0.020538824 + z * -0.00559102))));
  let far = 1.0 - 2.0 / (exp(2.0 * min(abs(x), 10.0)) + 1.0);
  return orNan(select(select(far, -far, x < 0.0), near, abs(x) < 0.64), x);
}

// e^-x for x >= 0; 0 from where it is below the least normal number, on drivers too that keep subnormal ones: what
// vanishes is 0, also times a large factor.
fn expNegated(x: f32) -> f32 { return select(exp(-min(x, 88.0)), 0.0, x > 87.33654); }

fn sigmoidOf(x: f32) -> f32 {
  return orNan(select(1.0 / (1.0 + exp(clamp(-x, -88.0, 88.0))), 0.0, x < -87.33654), x);
}

// log(1 + e^x)
fn softplusOf(x: f32) -> f32 {
  return orNan(max(x, 0.0) + log1pOf(expNegated(abs(x))), x);
}

// x sigmoid(x) and its slope; where the sigmoid vanishes, x is held so that the product does too.
fn siluOf(x: f32) -> f32 {
  return max(x, -88.0) * sigmoidOf(x);
}

fn siluSlope(x: f32) -> f32 {
  return sigmoidOf(x) * (1.0 + clamp(x, -88.0, 88.0) * sigmoidOf(-x));
}

// x P[N(0, 1) <= x] and its slope, held in the same way.
fn geluOf(x: f32) -> f32 {
  return orNan(max(x, -20.0) * normalCdf(x), x);
}

fn geluSlope(x: f32) -> f32 {
  return orNan(normalCdf(x) + clamp(x, -20.0, 20.0) * normalDensity(x), x);
}

// (1 + tanh(u)) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3): the factor of x in the tanh form of gelu.
fn geluGate(x: f32) -> f32 {
  let c = clamp(x, -20.0, 20.0);
  return sigmoidOf(1.5957691 * c * (1.0 + 0.044715 * c * c));
}

fn geluTanhOf(x: f32) -> f32 {
  return orNan(max(x, -20.0) * geluGate(x), x);
}

fn geluTanhSlope(x: f32) -> f32 {
  let c = clamp(x, -20.0, 20.0);
  let gate = geluGate(c);
  return orNan(gate * (1.0 + c * geluGate(-c) * 1.5957691 * (1.0 + 0.134145 * c * c)), x);
}

struct Params { size: u32, zero: u32, words: array<vec4u, 1> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> r1: array<f32>;
@group(0) @binding(2) var<storage, read_write> r2: array<f32>;

fn op0(x: f32) -> f32 { return x; } // variant

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  r2[i] = op0(r1[i]);
}
