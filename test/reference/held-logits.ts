import type { Dense } from './dense.ts';

/** What `holdLogits` makes of logits (rows, classes), and the kind of each row; see shaders/held-logits.wgsl. */
export function holdLogits(z: Dense, weight: readonly number[]): { held: number[]; kinds: number[] } {
  const classes = z.shape[1]!;
  const kinds = weight.map((w, i) => {
    const row = Array.from(z.data.slice(i * classes, (i + 1) * classes));
    if (row.every(Number.isFinite)) return 0;
    if (w === 0) return 1;
    return row.some((v) => Number.isNaN(v) || v === Infinity) || row.every((v) => v === -Infinity) ? 2 : 3;
  });
  const held = Array.from(z.data, (v, i) => {
    const kind = kinds[Math.floor(i / classes)]!;
    return kind === 2 ? NaN : Number.isFinite(v) ? v : kind === 1 ? 0 : Math.fround(-1e37);
  });
  return { held, kinds };
}

/** weight v, 0 where the weight is; NaN in rows of kind 2, an infinity for |v| >= 1e28 in those of kind 3. */
export function weighRows(v: readonly number[], weight: readonly number[], kinds: readonly number[]): number[] {
  return v.map((x, i) => {
    if (weight[i] === 0) return 0;
    if (kinds[i] === 2) return NaN;
    return kinds[i] === 3 && Math.abs(x) >= 1e28 ? Math.sign(x) * Infinity : weight[i]! * x;
  });
}
