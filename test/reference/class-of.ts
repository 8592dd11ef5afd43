/** The first of the largest of each row; -1 where one is NaN, or where the largest is an infinity that two share. */
export function classOf(rows: readonly (readonly number[])[]): number[] {
  return rows.map((row) => {
    const most = Math.max(...row);
    const isShared = row.filter((v) => v === most).length > 1;
    return Number.isNaN(most) || (Math.abs(most) === Infinity && isShared) ? -1 : row.indexOf(most);
  });
}
