/** What `cast` makes of a value, by the rules of its docstring; halves by the definition, not by bit tricks. */
export function cast(v: number, from: string, to: string): number {
  if (to === 'bool') return Number(v !== 0);
  if (to === 'i32') return from === 'u32' ? v | 0 : Math.max(-(2 ** 31), Math.min(2147483520, Math.trunc(v)));
  if (to === 'u32') return from === 'i32' ? v >>> 0 : Math.max(0, Math.min(4294967040, Math.trunc(v)));
  return to === 'f16' ? half(v) : Math.fround(v);
}

/** The multiple of the spacing of halves nearest to v, ties to even. */
export function half(v: number): number {
  if (!Number.isFinite(v) || v === 0) return v;
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(v))));
  const spacing = 2 ** (exponent - 10);
  const t = Math.abs(v) / spacing;
  const down = Math.floor(t);
  const rounded = (down + Number(t - down > 0.5 || (t - down === 0.5 && down % 2 === 1))) * spacing;
  return Math.sign(v) * (rounded > 65504 ? Infinity : rounded);
}
