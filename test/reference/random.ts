import { logGamma } from 'evenkeel/stats';

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
  return [
    p * Math.cos(angle(r[1]!)),
    p * Math.sin(angle(r[1]!)),
    q * Math.cos(angle(r[3]!)),
    q * Math.sin(angle(r[3]!)),
  ];
}

/**
 * Distribution function of Gamma(a, 1): the regularised lower incomplete gamma function, by its series or Lentz's
 * continued fraction.
 */
export function gammaCdf(x: number, a: number): number {
  if (x <= 0) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; term > sum * 1e-16; n++) sum += term *= x / (a + n);
    return front * sum;
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let h = d;
  for (let n = 1; n < 10_000; n++) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / (step * d + b);
    c = b + step / c;
    h *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return 1 - front * h;
}

/** In 64-bit arithmetic: an integer in 0..range-1 from a word, null where the word is to be redrawn. */
export function below(word: number, range: number): number | null {
  const product = BigInt(word) * BigInt(range);
  return (product & MASK) < (1n << 32n) % BigInt(range) ? null : Number(product >> 32n);
}
