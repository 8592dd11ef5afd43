// Philox4x32-10 (Salmon et al., SC 2011): 128 random bits from a 128-bit counter and a 64-bit key.
// src/random/philox.ts is its twin, bit for bit.

// word >> 16. A software adapter shifts lane by lane, at the cost of twenty products. The other form is exact too: a
// multiple of 2^16 as an f32, added to 3 * 2^38, whose last place counts 2^16, leaves it in the low bits.
fn high16(word: u32) -> u32 { return word >> 16u; } // software return highHalf(word);

fn highHalf(word: u32) -> u32 {
  return bitcast<u32>(f32(bitcast<i32>(word & 0xffff0000u)) + 824633720832.0) & 0xffffu;
}


// The high 32 bits of a 64-bit product, from four products of 16-bit halves.
fn mulHigh(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu;
  let ah = high16(a);
  let bl = b & 0xffffu;
  let bh = high16(b);
  let mid = ah * bl + high16(al * bl);
  let low = al * bh + (mid & 0xffffu);
  return ah * bh + high16(mid) + high16(low);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) { // unroll
    c = vec4u(mulHigh(0xcd9e8d57u, c.z) ^ c.y ^ k.x, 0xcd9e8d57u * c.z, mulHigh(0xd2511f53u, c.x) ^ c.w ^ k.y,
      0xd2511f53u * c.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}
