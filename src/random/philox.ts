/** The high 32 bits of the 64-bit product of two 32-bit integers. */
export function mulHigh(a: number, b: number): number {
  const [al, ah, bl, bh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const mid = (Math.imul(ah, bl) >>> 0) + (Math.imul(al, bl) >>> 16);
  const low = (Math.imul(al, bh) >>> 0) + (mid % 0x10000);
  return (Math.imul(ah, bh) + Math.floor(mid / 0x10000) + Math.floor(low / 0x10000)) >>> 0;
}

/**
 * Philox4x32-10: 128 random bits from a counter of four words and a key of two. Twin of shaders/lib/philox.wgsl.
 * Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
export function philox(counter: readonly [number, number, number, number], key: readonly [number, number]): [number, number, number, number] {
  let [a, b, c, d] = counter.map((v) => v >>> 0) as [number, number, number, number];
  let [k0, k1] = [key[0] >>> 0, key[1] >>> 0];
  for (let round = 0; round < 10; round++) {
    const next: [number, number, number, number] = [
      (mulHigh(0xcd9e8d57, c) ^ b ^ k0) >>> 0,
      Math.imul(0xcd9e8d57, c) >>> 0,
      (mulHigh(0xd2511f53, a) ^ d ^ k1) >>> 0,
      Math.imul(0xd2511f53, a) >>> 0,
    ];
    [a, b, c, d] = next;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}
