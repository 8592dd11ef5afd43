/** Reach that leaves a quota its floor and its ceiling; 30 * 0.1 = 3.0000000000000004 counts as 3. */
const NEAR = 1 - 1e-6;

/**
 * Whole numbers closest to n * share that sum to floor(n * total share), by largest remainder (ties: the first); the
 * first of them positive when n > 0.
 */
export function partSizes(n: number, shares: readonly number[]): number[] {
  const quotas = shares.map((share) => n * share);
  const sizes = quotas.map((quota) => Math.floor(quota + 1e-9)); // 0.1 * 30 is 3.0000000000000004, 0.7 * 10 below 7
  const whole = Math.min(n, Math.floor(quotas.reduce((sum, quota) => sum + quota, 0) + 1e-6));
  const byRemainder = quotas
    .map((_, part) => part)
    .sort((p, q) => quotas[q]! - sizes[q]! - (quotas[p]! - sizes[p]!) || p - q);
  const left = whole - sizes.reduce((sum, size) => sum + size, 0);
  const raised = byRemainder.slice(0, Math.max(0, left));
  for (const part of raised) sizes[part]!++;
  if (n > 0 && sizes[0] === 0) {
    // Taken from the part that was raised with least right, or from what no part takes.
    const giver = raised.at(-1);
    if (giver !== undefined) sizes[giver]!--;
    sizes[0] = 1;
  }
  return sizes;
}

/** A table of whole numbers to be filled: y[c][p] in low..high, with sums over p and over c. */
interface Bounds {
  low: readonly (readonly number[])[];
  high: readonly (readonly number[])[];
}

/**
 * How many examples of each class go to each part, y[c][p]: the sums over classes are `totals`, those over parts
 * `counts`, and each entry is the floor or the ceiling of counts[c] * shares[p]. What is left over goes to the largest
 * remainders; ties go by `order`, the classes in the order in which they are served. A class has an example in the
 * first part wherever the totals allow it. In rare tables (shares 1/6, 1/6, 1/4, 1/4, 1/6, classes of 4 and 6) no such
 * roundings exist: an entry is then within 1 of its quota, or, where that has no solution either, within 2: rounding
 * the table counts[c] totals[p] / n always succeeds (all its sums are whole, so that a flow of whole numbers exists),
 * and this table differs from the quotas by less than 1.
 */
export function apportion(
  counts: readonly number[],
  shares: readonly number[],
  totals: readonly number[],
  order: ArrayLike<number>,
): number[][] {
  const quotas = counts.map((n) => shares.map((share) => n * share));
  for (const [reach, least] of [
    [NEAR, 1],
    [NEAR, 0],
    [1, 0],
    [2, 0],
  ] as const) {
    const low = quotas.map((row, c) =>
      row.map((q, p) => Math.max(0, Math.ceil(q - reach - 1e-9), p === 0 ? Math.min(least, counts[c]!) : 0)),
    );
    const high = quotas.map((row, c) => row.map((q) => Math.min(counts[c]!, Math.floor(q + reach + 1e-9))));
    const table = fill(counts, quotas, totals, order, { low, high });
    if (table) return table;
  }
  throw new Error(`apportion: no table of [${counts}] by [${shares}] sums to [${totals}]`);
}

/** A table within the bounds, by largest remainders and then by augmenting paths; null when there is none. */
function fill(
  counts: readonly number[],
  quotas: readonly (readonly number[])[],
  totals: readonly number[],
  order: ArrayLike<number>,
  { low, high }: Bounds,
): number[][] | null {
  const table = low.map((row) => [...row]);
  const rows = counts.map((n, c) => n - sum(low[c]!));
  const columns = totals.map((total, p) => total - sum(low.map((row) => row[p]!)));
  if (Math.min(0, ...rows, ...columns) < 0) return null;

  const rank = new Array<number>(counts.length);
  for (let i = 0; i < order.length; i++) rank[order[i]!] = i;
  const units = table.flatMap((row, c) =>
    row.flatMap((from, p) =>
      Array.from({ length: Math.max(0, high[c]![p]! - from) }, (_, k) => ({
        c,
        p,
        worth: quotas[c]![p]! - from - k + Number(p === 0 && from + k === 0),
      })),
    ),
  );
  units.sort((a, b) => (Math.abs(a.worth - b.worth) > 1e-9 ? b.worth - a.worth : rank[a.c]! - rank[b.c]! || a.p - b.p));
  for (const { c, p } of units) {
    if (rows[c] === 0 || columns[p] === 0) continue;
    table[c]![p]!++;
    rows[c]!--;
    columns[p]!--;
  }
  for (let c = 0; c < rows.length; c++) {
    for (; rows[c]! > 0; rows[c]!--) {
      const end = augment(c, table, columns, { low, high });
      if (end === null) return null;
      columns[end]!--;
    }
  }
  return columns.every((left) => left === 0) ? table : null;
}

/**
 * Moves units along a shortest path from class `start` to a part with room, and returns that part; null when there is
 * none.
 */
function augment(start: number, table: number[][], columns: readonly number[], { low, high }: Bounds): number | null {
  const from = new Array<number | undefined>(columns.length); // the class through which a part was reached
  const through = new Map<number, number | null>([[start, null]]); // the part through which a class was reached
  for (const c of through.keys()) {
    for (let p = 0; p < columns.length; p++) {
      if (from[p] !== undefined || table[c]![p]! >= high[c]![p]!) continue;
      from[p] = c;
      if (columns[p]! > 0) {
        for (let at: number | null = p; at !== null;) {
          const giver: number = from[at]!;
          table[giver]![at]!++;
          at = through.get(giver)!;
          if (at !== null) table[giver]![at]!--;
        }
        return p;
      }
      table.forEach((row, other) => {
        if (!through.has(other) && row[p]! > low[other]![p]!) through.set(other, p);
      });
    }
  }
  return null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
