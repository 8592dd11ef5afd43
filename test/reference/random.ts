const MASK = 0xffffffffn;

/** Philox4x32-10 with 64-bit products, written from the definition of Salmon et al., SC 2011. */
export function philox(counter: readonly number[], key: readonly number[]): number[] {
  let c = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const [p, q] = [0xd2511f53n * c[0]!, 0xcd9e8d57n * c[2]!];
    c = [(q >> 32n) ^ c[1]! ^ k0, q & MASK, (p >> 32n) ^ c[3]! ^ k1, p & MASK];
    k0 = (k0 + 0x9e3779b9n) & MASK;
    k1 = (k1 + 0xbb67ae85n) & MASK;
  }
  return c.map(Number);
}

/** Four normals by Box-Muller in f64 from four words. */
export function normals(r: readonly number[]): number[] {
  const radius = (v: number): number => Math.sqrt(-2 * Math.log(((v >>> 8) + 1) * 2 ** -24));
  const angle = (v: number): number => (2 * Math.PI * v) / 2 ** 32;
  const [p, q] = [radius(r[0]!), radius(r[2]!)];
  return [p * Math.cos(angle(r[1]!)), p * Math.sin(angle(r[1]!)), q * Math.cos(angle(r[3]!)), q * Math.sin(angle(r[3]!))];
}
