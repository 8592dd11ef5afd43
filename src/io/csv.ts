import { FormatError } from './errors.ts';

/**
 * Rows of a CSV text (RFC 4180): fields between `separator`s, quoted where they hold separators, quotes (doubled) or line
 * breaks; lines end in LF or CRLF, blank ones are skipped, and a byte-order mark is dropped. Every row must have as many
 * fields as the first.
 * Throws FormatError, naming the line, on a quote that does not end or that text follows, and on a row of another length.
 */
export function parseCsv(text: string, { separator = ',' }: { separator?: string } = {}): string[][] {
  if (separator.length !== 1 || /["\r\n]/.test(separator)) throw new RangeError(`parseCsv: separator is ${JSON.stringify(separator)}, expected one character that is neither a quote nor a line break`);
  const rows: string[][] = [];
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const row: string[] = [];
    const first = line;
    for (let open = true; open; ) {
      let field = '';
      if (text[at] === '"') {
        const start = line;
        for (at++; ; at++) {
          if (at >= text.length) throw new FormatError(`parseCsv: line ${start}: a quote does not end`);
          if (text[at] === '\n') line++;
          if (text[at] !== '"') field += text[at];
          else if (text[at + 1] === '"') field += text[at++];
          else break;
        }
        at++;
        if (at < text.length && text[at] !== separator && text[at] !== '\n' && text.slice(at, at + 2) !== '\r\n') {
          throw new FormatError(`parseCsv: line ${line}: ${JSON.stringify(text[at])} follows a closing quote, expected a separator or the end of the line`);
        }
      } else {
        let end = at;
        while (end < text.length && text[end] !== separator && text[end] !== '\n') end++;
        field = text.slice(at, end);
        at = end;
        if (text[at] !== separator && field.endsWith('\r')) field = field.slice(0, -1);
      }
      row.push(field);
      if (text.slice(at, at + 2) === '\r\n') at++;
      open = text[at] === separator;
      at++;
    }
    line++;
    if (row.length === 1 && row[0] === '') continue;
    if (rows[0] && row.length !== rows[0].length) throw new FormatError(`parseCsv: line ${first} has ${row.length} fields, expected ${rows[0].length} as in the first`);
    rows.push(row);
  }
  return rows;
}
