import { build, count, type Dense } from './dense.ts';

/** Rows data[order[start + b]] for b = 0..batch-1. */
export function takeRows(data: Dense, order: readonly number[], start: number, batch: number): Dense {
  const features = count(data.shape.slice(1));
  return build(
    [batch, ...data.shape.slice(1)],
    (i) => data.data[order[start + Math.floor(i / features)]! * features + (i % features)]!,
  );
}

/** The table with rows written one after the other. */
export function writeRows(table: Dense, index: readonly number[], rows: Dense): number[] {
  const features = count(table.shape.slice(1));
  const out = Array.from(table.data);
  index.forEach((to, b) => {
    for (let f = 0; f < features && to < table.shape[0]!; f++) out[to * features + f] = rows.data[b * features + f]!;
  });
  return out;
}
