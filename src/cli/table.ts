/** A plain text table: the first column is aligned to the left, the others to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, c) => Math.max(title.length, ...rows.map((row) => row[c]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join('  ');
  return [line(head), widths.map((width) => '─'.repeat(width)).join('──'), ...rows.map(line)].join('\n');
}

/** A fraction as a percentage with `digits` decimals; a dash where there is none. */
export function percent(fraction: number | null, digits = 2): string {
  return fraction === null || Number.isNaN(fraction) ? '–' : (100 * fraction).toFixed(digits);
}
