import { expect, test } from 'vitest';
import fc from 'fast-check';
import { FormatError, parseCsv } from '../../src/io/index.ts';

test.each([
  [
    'plain',
    'a,b\n1,2\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'no last line break',
    'a,b\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'CRLF, a byte-order mark, blank lines',
    '\ufeffa,b\r\n\r\n1,2\r\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'empty fields',
    ',\n1,',
    [
      ['', ''],
      ['1', ''],
    ],
  ],
  [
    'quotes with separators, quotes and line breaks',
    '"a,""x""","two\r\nlines"\r\n1,2',
    [
      ['a,"x"', 'two\r\nlines'],
      ['1', '2'],
    ],
  ],
  ['nothing', '', []],
])('%s', (_, text, rows) => expect(parseCsv(text)).toEqual(rows));

test('a long quoted field is sliced, not built', () => {
  const long = 'x"'.repeat(500_000);
  expect(parseCsv(`"${long.replaceAll('"', '""')}",2\n`)).toEqual([[long, '2']]);
});

test('a text that is none', () =>
  expect(() => parseCsv(new Uint8Array(3) as never)).toThrow(
    new TypeError('parseCsv: text is object, expected a string; loadCsv takes bytes and addresses'),
  ));

test('another separator', () => expect(parseCsv('a\tb,c', { separator: '\t' })).toEqual([['a', 'b,c']]));

test.each([
  ['a,b\n1,2,3', 'parseCsv: line 2 has 3 fields, expected 2 as in the first'],
  ['a,"b', 'parseCsv: line 1: a quote does not end'],
  ['"a"b,c', 'parseCsv: line 1: "b" follows a closing quote, expected a separator or the end of the line'],
  ['"a\nb",c\n1', 'parseCsv: line 3 has 1 fields, expected 2 as in the first'],
  [
    'a\rb\rc',
    'parseCsv: lines end in CR alone, as old Macs wrote them, expected LF or CRLF: save the file with other line ends',
  ],
  [
    '"a"\rb',
    'parseCsv: lines end in CR alone, as old Macs wrote them, expected LF or CRLF: save the file with other line ends',
  ],
  [
    'a,b\nc,d\re,f\n',
    'parseCsv: line 2: a carriage return stands alone, expected LF or CRLF at the end of a line, and quotes ' +
      'around a field that holds one',
  ],
  [
    'a,b\r\r\n',
    'parseCsv: line 1: a carriage return stands alone, expected LF or CRLF at the end of a line, and quotes ' +
      'around a field that holds one',
  ],
  [
    'a, "b"',
    'parseCsv: line 1: blanks precede the quote of " \\"b\\"", expected none: the quotes would belong to the field',
  ],
])('refuses %j', (text, message) => expect(() => parseCsv(text)).toThrow(new FormatError(message)));

test('refuses separators that mean something else', () => {
  for (const separator of ['', '"', '\n', ';;'])
    expect(() => parseCsv('a', { separator })).toThrow(/parseCsv: separator is/);
});

test('what a writer that quotes every field wrote comes back', () => {
  const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'é') });
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((width) =>
      fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 5 }),
    );
  fc.assert(
    fc.property(table, (rows) => {
      // A row of one empty field is a blank line.
      fc.pre(rows.every((row) => row.length > 1 || row[0] !== ''));
      const text = rows.map((row) => row.map((f) => `"${f.replaceAll('"', '""')}"`).join(',')).join('\n');
      expect(parseCsv(text)).toEqual(rows);
    }),
  );
});

test('any text gives rows of one length or a FormatError', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r') }), (text) => {
      try {
        expect(new Set(parseCsv(text).map((row) => row.length)).size).toBeLessThanOrEqual(1);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
  );
});
