const bits = new DataView(new ArrayBuffer(4));

/** The number that 16 bits of IEEE 754 binary16 stand for. */
export function fromHalf(half: number): number {
  const [sign, exponent, fraction] = [half & 0x8000 ? -1 : 1, (half >> 10) & 31, half & 0x3ff];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** The binary16 nearest to a number, ties to even; beyond 65520 infinite. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // The spacing of binary16 is 2^-10 of the power of two at or below the size, at least 2^-24.
  let power = Math.max(-14, Math.floor(Math.log2(size)));
  if (size < 2 ** power) power = Math.max(-14, power - 1); // log2 of the number below a power of two rounds up
  const units = roundEven(size / 2 ** (power - 10));
  return sign | (units + (power + 14) * 1024);
}

function roundEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/** The number that 16 bits of bfloat16 stand for: the upper half of an f32. */
export function fromBfloat16(half: number): number {
  bits.setUint32(0, half << 16);
  return bits.getFloat32(0);
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
