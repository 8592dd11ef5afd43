/** In place of a class, where there is none. */
export const NO_CLASS = -1;

/**
 * The class that scores data[row * classes] .. give, the first of the largest; {@link NO_CLASS} where one is NaN, or
 * where an infinity that two of them share is the largest.
 */
export function classOfRow(data: ArrayLike<number>, row: number, classes: number): number {
  let [best, at, count] = [data[row * classes]!, 0, 0];
  for (let c = 0; c < classes; c++) {
    const v = data[row * classes + c]!;
    if (Number.isNaN(v)) return NO_CLASS;
    if (v > best) [best, at, count] = [v, c, 1];
    else if (v === best) count++;
  }
  return Number.isFinite(best) || count === 1 ? at : NO_CLASS;
}
