const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The number that 16 bits of IEEE 754 binary16 stand for. */
export function fromHalf(half: number): number {
  const [sign, exponent, fraction] = [half & 0x8000 ? -1 : 1, (half >> 10) & 31, half & 0x3ff];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** The binary16 nearest to a number, ties to even; from 65,520 on infinite; the NaN of all is 0x7e00. */
export function toHalf(value: number): number {
  float[0] = value;
  const rounded = float[0];
  const sign = (word[0]! >>> 16) & 0x8000;
  if (Number.isNaN(rounded)) return 0x7e00;
  let bits = word[0]! & 0x7fffffff;
  // A number between two f32 becomes the odd one of them, which is never a tie of binary16: it is rounded once.
  if (rounded !== value) bits = (bits - Number(Math.abs(rounded) > Math.abs(value))) | 1;
  if (bits >= 0x477ff000) return sign | 0x7c00;
  if (bits < 0x38800000) {
    // Below 2^-14 binary16 has the multiples of 2^-24.
    word[0] = bits;
    const scaled = float[0]! * 2 ** 24;
    const low = Math.floor(scaled);
    const rest = scaled - low;
    return sign | (low + Number(rest > 0.5 || (rest === 0.5 && low % 2 === 1)));
  }
  return sign | ((bits - 0x38000000 + 0xfff + ((bits >>> 13) & 1)) >>> 13);
}

/** The number that 16 bits of bfloat16 stand for: the upper half of an f32. */
export function fromBfloat16(half: number): number {
  word[0] = half << 16;
  return float[0]!;
}

/**
 * The number that a byte of an 8-bit float stands for: E4M3 (no infinities, one NaN) or E5M2, as the OCP format has
 * them.
 */
export function fromFloat8(byte: number, format: 'E4M3' | 'E5M2'): number {
  if (format === 'E5M2') return fromHalf(byte << 8);
  const [sign, exponent, fraction] = [byte & 0x80 ? -1 : 1, (byte >> 3) & 15, byte & 7];
  if (exponent === 15 && fraction === 7) return NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7));
}
