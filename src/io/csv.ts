import { expectOptions } from '../check/options.ts';
import { FormatError, quote } from './format-error.ts';

const [QUOTE, LF, CR] = [0x22, 0x0a, 0x0d];

/**
 * Rows of a CSV text (RFC 4180): fields between `separator`s, quoted where they hold separators, quotes (doubled) or
 * line breaks; lines end in LF or CRLF, blank ones are skipped, and a byte-order mark is dropped. Every row must have
 * as many fields as the first.
 * Throws FormatError, naming the line, on a quote that does not end, that text follows or blanks precede, on a carriage
 * return that stands alone outside quotes (lines that end in CR alone), and on a row of another length.
 */
export function parseCsv(text: string, options: { separator?: string } = {}): string[][] {
  expectOptions('parseCsv', options, ['separator']);
  const { separator = ',' } = options;
  if (typeof text !== 'string')
    throw new TypeError(
      `parseCsv: text is ${text === null ? 'null' : typeof text}, expected a string; loadCsv takes bytes and addresses`,
    );
  if (separator.length !== 1 || /["\r\n]/.test(separator))
    throw new RangeError(
      `parseCsv: separator is ${JSON.stringify(separator)}, expected one character that is neither a quote ` +
        'nor a line break',
    );
  const rows: string[][] = [];
  const apart = separator.charCodeAt(0);
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const row: string[] = [];
    const first = line;
    for (let open = true; open; at++) {
      const field = text.charCodeAt(at) === QUOTE ? quotedField(text, at, line) : plainField(text, at, apart, line);
      row.push(field.value);
      at = field.end;
      line += field.breaks;
      const next = text.charCodeAt(at);
      if (next === CR)
        at++; // of CRLF, or the last character
      else if (at < text.length && next !== apart && next !== LF) {
        throw new FormatError(
          `parseCsv: line ${line}: ${quote(text[at]!)} follows a closing quote, expected a separator or the ` +
            'end of the line',
        );
      }
      open = next === apart;
    }
    line++;
    if (row.length === 1 && row[0] === '') continue;
    if (rows[0] && row.length !== rows[0].length)
      throw new FormatError(
        `parseCsv: line ${first} has ${row.length} fields, expected ${rows[0].length} as in the first`,
      );
    rows.push(row);
  }
  return rows;
}

/** A field, where it ends, and the line breaks in it. */
interface Field {
  value: string;
  end: number;
  breaks: number;
}

function quotedField(text: string, start: number, line: number): Field {
  let end = start;
  let isDoubled = false;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) throw new FormatError(`parseCsv: line ${line}: a quote does not end`);
    if (text.charCodeAt(end + 1) !== QUOTE) break;
    isDoubled = true;
    end++;
  }
  const raw = text.slice(start + 1, end);
  let breaks = 0;
  for (let i = raw.indexOf('\n'); i >= 0; i = raw.indexOf('\n', i + 1)) breaks++;
  if (text.charCodeAt(end + 1) === CR) expectLineEnd(text, end + 1, line + breaks);
  return { value: isDoubled ? raw.replaceAll('""', '"') : raw, end: end + 1, breaks };
}

function plainField(text: string, start: number, apart: number, line: number): Field {
  let end = start;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === apart || code === LF) break;
    if (code === CR) {
      expectLineEnd(text, end, line);
      break;
    }
  }
  const value = text.slice(start, end);
  if (/^\s+"/.test(value))
    throw new FormatError(
      `parseCsv: line ${line}: blanks precede the quote of ${quote(value)}, expected none: the quotes would ` +
        'belong to the field',
    );
  return { value, end, breaks: 0 };
}

/** Throws unless the carriage return at `at` belongs to CRLF or ends the text. */
function expectLineEnd(text: string, at: number, line: number): void {
  if (at + 1 === text.length || text.charCodeAt(at + 1) === LF) return;
  if (!text.includes('\n'))
    throw new FormatError(
      'parseCsv: lines end in CR alone, as old Macs wrote them, ' +
        'expected LF or CRLF: save the file with other line ends',
    );
  throw new FormatError(
    `parseCsv: line ${line}: a carriage return stands alone, expected LF or CRLF at the end of a line, and ` +
      'quotes around a field that holds one',
  );
}
