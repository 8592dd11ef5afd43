// f32 to IEEE halves and back, two to a word, by integer arithmetic: to nearest, ties to even, subnormals kept, so that
// every adapter and the host give the same bits. One invocation per element (fromHalf) or word (toHalf); grid (size),
// (words).
// use lib/index.wgsl

struct Params { size: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> wide: array<u32>;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;
@group(0) @binding(3) var<storage, read> halves: array<u32>;
@group(0) @binding(4) var<storage, read_write> bits: array<u32>;

// bits of an f32 to those of a half
fn narrow(word: u32) -> u32 {
  let sign = (word >> 16u) & 0x8000u;
  let magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return sign | 0x7e00u; }
  if (magnitude >= 0x477ff000u) { return sign | 0x7c00u; }
  if (magnitude >= 0x38800000u) {
    return sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u);
  }
  if (magnitude < 0x33000000u) { return sign; }
  // 2^-25 or more: a multiple of 2^-24, the mantissa shifted by what its exponent lacks
  let shift = 126u - (magnitude >> 23u);
  let mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  let down = mantissa >> shift;
  let rest = mantissa & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  return sign | (down + select(0u, 1u, rest > middle || (rest == middle && (down & 1u) == 1u)));
}

@compute @workgroup_size(64)
fn toHalf(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (2u * i >= params.size) { return; }
  var word = narrow(wide[2u * i]);
  if (2u * i + 1u < params.size) { word |= narrow(wide[2u * i + 1u]) << 16u; }
  packed[i] = word;
}

@compute @workgroup_size(64)
fn fromHalf(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  let half = (halves[i / 2u] >> (16u * (i % 2u))) & 0xffffu;
  let sign = (half & 0x8000u) << 16u;
  let exponent = (half >> 10u) & 31u;
  let fraction = half & 1023u;
  if (exponent == 31u) { bits[i] = sign | 0x7f800000u | (fraction << 13u); return; }
  if (exponent > 0u) { bits[i] = sign | ((exponent + 112u) << 23u) | (fraction << 13u); return; }
  if (fraction == 0u) { bits[i] = sign; return; }
  // a subnormal half is a normal f32: its leading one sets the exponent
  let top = firstLeadingBit(fraction);
  bits[i] = sign | ((top + 103u) << 23u) | ((fraction << (23u - top)) & 0x7fffffu);
}
