/** The high 32 bits of the 64-bit product of two 32-bit integers. */
export function mulHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  // Neither sum passes 2^32 - 1: (2^16 - 1)^2 + 2^16 - 1 < 2^32.
  const mid = (Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16)) >>> 0;
  const low = (Math.imul(al, bh) + (mid & 0xffff)) >>> 0;
  return (Math.imul(ah, bh) + (mid >>> 16) + (low >>> 16)) >>> 0;
}

/**
 * Philox4x32-10: 128 random bits from a counter of four words and a key of two, as shaders/lib/philox.wgsl.
 * Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let a = counter[0] | 0;
  let b = counter[1] | 0;
  let c = counter[2] | 0;
  let d = counter[3] | 0;
  let k0 = key[0] | 0;
  let k1 = key[1] | 0;
  for (let round = 0; round < 10; round++) {
    const highC = mulHigh(0xcd9e8d57, c);
    const highA = mulHigh(0xd2511f53, a);
    const lowA = Math.imul(0xd2511f53, a);
    a = highC ^ b ^ k0;
    b = Math.imul(0xcd9e8d57, c);
    c = highA ^ d ^ k1;
    d = lowA;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}
