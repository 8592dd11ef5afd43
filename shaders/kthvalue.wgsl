// Radix select: one element of x by its place in order, without sorting. Four passes fix its key a byte at a time, from
// the highest; keys are u32 that order as the elements do.
//   count   tally[d] += 1 for the elements whose higher bytes are those found so far and whose next byte is d
//   choose  the byte whose elements hold the place, one invocation; tally is cleared for the next pass. The last pass
//   writes
//           y = the element, before = how many elements precede all its equals, equal = how many it equals, itself
//           included.
// found = [key so far, place from 0 among the elements that share it, number of elements before those].
// Counts are integers, so the order of their additions is free. Grid: (size) and (1).
// use lib/index.wgsl

override DESCENDING: u32 = 0u;

struct Params { size: u32, k: u32, shift: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> prefix: array<u32>;
@group(0) @binding(3) var<storage, read_write> tally: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> found: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<u32>;
@group(0) @binding(6) var<storage, read_write> before: array<u32>;
@group(0) @binding(7) var<storage, read_write> equal: array<u32>;

// Bits of an f32: negative values in reverse, -0 as 0, every NaN above all numbers.
fn key(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  var k = select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x7fffffffu);
  if (magnitude > 0x7f800000u) { k = 0xffffffffu; }
  return select(k, ~k, DESCENDING == 1u);
}

fn bitsOf(k: u32) -> u32 {
  let ordered = select(k, ~k, DESCENDING == 1u);
  return select(0x80000000u | (0x80000000u - ordered), ordered - 0x80000000u, ordered >= 0x80000000u);
}

@compute @workgroup_size(64)
fn count(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  let k = key(x[i]);
  // A shift by 32 is no shift: the first pass takes all
  if (params.shift < 24u && (k >> (params.shift + 8u)) != (prefix[0] >> (params.shift + 8u))) { return; }
  atomicAdd(&tally[(k >> params.shift) & 255u], 1u);
}

@compute @workgroup_size(64)
fn choose(@builtin(local_invocation_index) lane: u32) {
  if (lane > 0u) { return; }
  let isFirst = params.shift == 24u;
  var place = select(found[1], params.k - 1u, isFirst);
  var passed = select(found[2], 0u, isFirst);
  var byte = 0u;
  var held = 0u;
  var isFound = false;
  for (var d = 0u; d < 256u; d++) {
    let n = atomicExchange(&tally[d], 0u);
    if (!isFound) {
      if (place < n) {
        isFound = true;
        byte = d;
        held = n;
      } else {
        place -= n;
        passed += n;
      }
    }
  }
  let all = select(found[0], 0u, isFirst) | (byte << params.shift);
  found[0] = all;
  found[1] = place;
  found[2] = passed;
  if (params.shift == 0u) {
    y[0] = bitsOf(all);
    before[0] = passed;
    equal[0] = held;
  }
}
