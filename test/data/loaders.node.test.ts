import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CIFAR10_STATISTICS,
  loadCifar10,
  loadCifar100,
  loadCsv,
  loadImageFolder,
  longTail,
  makeDataset,
  normalizeChannels,
} from '../../src/data/index.ts';
import { FormatError, parseCifar } from '../../src/io/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';
import { formatErrorOf } from '../support/format-error.ts';

/** A file of CIFAR records: label bytes, then pixels that tell record and place. */
function records(labels: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    labels.flatMap((head, n) => [...head, ...Array.from({ length: 3072 }, (_, i) => (n * 7 + i) % 256)]),
  );
}

describe('CIFAR, binary version', () => {
  test('files in their order, planes of red, green and blue', async () => {
    const data = await loadCifar10([records([[3], [9]]), new Uint8Array(gzipSync(records([[0]])))]);
    expect(data.x.shape).toEqual([3, 3, 32, 32]);
    expect(data).toMatchObject({
      y: Int32Array.of(3, 9, 0),
      numClasses: 10,
      name: 'cifar10',
      classCounts: [1, 0, 0, 1, 0, 0, 0, 0, 0, 1],
    });
    const of = (n: number, i: number): number => Math.fround(((n * 7 + i) % 256) / 255);
    for (const i of [0, 1, 1023, 1024, 3071]) {
      expect(data.x.data[i]).toBe(of(0, i));
      expect(data.x.data[3072 + i]).toBe(of(1, i));
      expect(data.x.data[2 * 3072 + i]).toBe(of(0, i));
    }
  });
  test('CIFAR-100: fine classes, or the 20 superclasses', async () => {
    const file = records([
      [19, 99],
      [4, 30],
    ]);
    expect(await loadCifar100([file])).toMatchObject({ y: Int32Array.of(99, 30), numClasses: 100 });
    expect(await loadCifar100([file.buffer], { labels: 'coarse', name: 'super' })).toMatchObject({
      y: Int32Array.of(19, 4),
      numClasses: 20,
      name: 'super',
    });
    await expect(loadCifar100([file], { labels: 'both' as never })).rejects.toThrow(
      "loadCifar100: labels is 'both', expected 'fine' or 'coarse'",
    );
  });
  test('a long tail can be drawn from it', async () => {
    const data = await loadCifar10([records(Array.from({ length: 40 }, (_, i) => [i % 10]))]);
    expect(longTail(data, { imbType: 'exp', imbFactor: 0.25, seed: 0 }).classCounts).toEqual([
      4, 3, 2, 2, 2, 1, 1, 1, 1, 1,
    ]);
  });
  test.each([
    [
      'cut',
      records([[1]]).slice(0, 3000),
      'loadCifar10: file 0: parseCifar: file has 3000 bytes, expected a positive multiple of 3073, the bytes ' +
        'of a cifar10 record',
    ],
    [
      'cut gzip',
      new Uint8Array(gzipSync(records([[1]]))).slice(0, -100),
      'loadCifar10: file 0: gunzip: truncated or corrupt after 0 bytes of output',
    ],
    [
      'empty',
      new Uint8Array(),
      'loadCifar10: file 0: parseCifar: file has 0 bytes, expected a positive multiple of 3073, the bytes of ' +
        'a cifar10 record',
    ],
    [
      'a wrong label',
      records([[1], [10]]),
      'loadCifar10: file 0: parseCifar: record 1 has label 10, expected 0..9: is this the binary version of cifar10?',
    ],
  ])('refuses a file that is %s', async (_, file, message) => {
    await expect(loadCifar10([file])).rejects.toThrow(new FormatError(message));
  });
  test('refuses no files, and a coarse label that is none', async () => {
    await expect(loadCifar10([])).rejects.toThrow(
      'loadCifar10: files is empty, expected an array of at least one file',
    );
    expect(() => parseCifar(records([[20, 1]]), 'cifar100')).toThrow(
      'parseCifar: record 0 has label 20, expected 0..19',
    );
  });
});

describe('normalizeChannels', () => {
  const data = makeDataset(new NdArray(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [2, 2, 1, 2]), [0, 1]);
  test('(x - mean) / std of each channel, labels as they are', () => {
    const out = normalizeChannels(data, { mean: [1, 2], std: [0.5, 2] });
    expect([...out.x.data]).toEqual([0, 2, 0.5, 1, 8, 10, 2.5, 3]);
    expect(out).toMatchObject({ y: data.y, classCounts: [1, 1] });
    expect(data.x.data[0]).toBe(1);
  });
  test('errors', () => {
    expect(() => normalizeChannels(data, CIFAR10_STATISTICS)).toThrow(
      'normalizeChannels: 3 means and 3 deviations for x of shape [2,2,1,2], expected one of each for each ' +
        'channel, axis 1',
    );
    expect(() => normalizeChannels(data, { mean: [0, 0], std: [1, 0] })).toThrow(
      'normalizeChannels: mean is [0,0], std is [1,0], expected finite numbers, and deviations above 0',
    );
  });
});

describe('loadCsv', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const table = 'id,width,length,kind\n1,0.5,2,b\n2,-1e2,3,a\n3,4,5,b\n';
  test('named label and skipped columns; classes sorted', async () => {
    const data = await loadCsv(bytes(table), { label: 'kind', skip: ['id'], name: 'iris' });
    expect(data).toMatchObject({
      y: Int32Array.of(1, 0, 1),
      numClasses: 2,
      classCounts: [1, 2],
      classNames: ['a', 'b'],
      name: 'iris',
    });
    expect(data.x.shape).toEqual([3, 2]);
    expect([...data.x.data]).toEqual([0.5, 2, -100, 3, 4, 5]);
  });
  test('without a header, classes given, a shape, gzip', async () => {
    const data = await loadCsv(new Uint8Array(gzipSync('cat;1;2\ndog;3;4')), {
      header: false,
      separator: ';',
      label: 0,
      classes: ['dog', 'cat', 'emu'],
      shape: [1, 2],
    });
    expect(data).toMatchObject({ y: Int32Array.of(1, 0), numClasses: 3, classCounts: [1, 1, 0] });
    expect(data.x.shape).toEqual([2, 1, 2]);
  });
  test('numbered classes sort as numbers', async () => {
    expect((await loadCsv(bytes('x,y\n1,10\n2,9\n'))).classNames).toEqual(['9', '10']);
  });
  test.each([
    ['no rows', 'a,b\n', {}, 'loadCsv: the table has no rows, expected at least one'],
    [
      'an unknown column',
      table,
      { label: 'sort' },
      'loadCsv: no column "sort", expected one of id, width, length, kind',
    ],
    ['a column beyond', '1,2', { header: false, label: 2 }, 'loadCsv: no column 2, expected a number below 2'],
    ['text', 'a,b\nx,1\n', {}, 'loadCsv: row 1, column a: "x" is no finite number'],
    ['a gap', 'a,b\n1,1\n,1\n', {}, 'loadCsv: row 2, column a: "" is no finite number'],
    ['too large for f32', 'a,b\n1e39,1\n', {}, 'loadCsv: row 1, column a: "1e39" is no finite number'],
    ['an unknown class', 'a,b\n1,x\n', { classes: ['y', 'z'] }, 'loadCsv: row 1: class "x" is none of y, z'],
    ['labels alone', 'b\nx\n', {}, 'loadCsv: no column is left for the inputs'],
    [
      'a wrong shape',
      'a,b\n1,x\n',
      { shape: [2] },
      'loadCsv: shape is [2], expected as many elements as there are input columns, 1',
    ],
  ])('refuses %s', async (_, text, options, message) => {
    await expect(loadCsv(bytes(text), options)).rejects.toThrow(new FormatError(message));
  });
});

describe('loadCsv: text as it is found', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const utf16 = (text: string, big: boolean): Uint8Array => {
    const out = new Uint8Array(2 * text.length);
    for (let i = 0; i < text.length; i++) new DataView(out.buffer).setUint16(2 * i, text.charCodeAt(i), !big);
    return out;
  };
  const table = 'länge,art\n1,ä\n2,\u{1f600}\n3,\ufffd\n';
  test.each([
    ['UTF-8', bytes(table)],
    ['UTF-8 with a mark', bytes(`\ufeff${table}`)],
    ['UTF-16, little-endian', utf16(`\ufeff${table}`, false)],
    ['UTF-16, big-endian', utf16(`\ufeff${table}`, true)],
    ['UTF-16, gzip', new Uint8Array(gzipSync(utf16(`\ufeff${table}`, true)))],
  ])('%s', async (_, file) => {
    expect((await loadCsv(file)).classNames).toEqual(['ä', '\u{1f600}', '\ufffd']);
    expect(await loadCsv(file, { label: 'art' })).toMatchObject({ classNames: ['ä', '\u{1f600}', '\ufffd'] });
  });
  test('an encoding that is named', async () => {
    const file = Uint8Array.from('x,art\n1,\xe4\n2,\xf6\n', (c) => c.charCodeAt(0));
    expect((await loadCsv(file, { encoding: 'windows-1252' })).classNames).toEqual(['ä', 'ö']);
    await expect(loadCsv(file, { encoding: 'latin-eins' })).rejects.toThrow(RangeError);
  });
  test('labels and names are trimmed as numbers are', async () => {
    const data = await loadCsv(bytes(' x , kind \n 1, a\n2,a \n3,\t"quoted"\n'.replace('\t', '')), { label: 'kind' });
    expect(data).toMatchObject({ classNames: ['a', 'quoted'], y: Int32Array.of(0, 0, 1) });
    expect((await loadCsv(bytes('x,y\n1, b\n2,a\n'), { classes: ['a', 'b'] })).y).toEqual(Int32Array.of(1, 0));
  });
  const raw = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
  test.each([
    [
      'Latin-1 labels',
      raw('x,art\n1,a\n2,\xe4\n'),
      {},
      'loadCsv: row 2, column art: byte e4 is not valid UTF-8; save the file as UTF-8, or say what it is, ' +
        "such as encoding: 'windows-1252'",
    ],
    [
      'bytes that would merge',
      raw('x,art\r\n\r\n1,\xe4\r\n2,\xf6\r\n'),
      {},
      'loadCsv: row 1, column art: byte e4 is not valid UTF-8',
    ],
    [
      'after quotes and a true U+FFFD',
      raw('x,"a ""b"", c",d\n1,"\n\xef\xbf\xbd",\xff\n'),
      {},
      'loadCsv: row 1, column d: byte ff is not valid UTF-8',
    ],
    [
      'a name that is no text',
      raw('x,\xe4\n1,2\n'),
      {},
      'loadCsv: the names of the columns, number 1: byte e4 is not valid UTF-8',
    ],
    [
      'without a header',
      raw('1;2\n3;\xe4\n'),
      { header: false, separator: ';' },
      'loadCsv: row 2, column 1: byte e4 is not valid UTF-8',
    ],
    ['a cut character', raw('x,y\n1,\xc3'), {}, 'loadCsv: row 1, column y: byte c3 is not valid UTF-8'],
    [
      'half a character of UTF-16',
      Uint8Array.of(...utf16('\ufeffx,y\n1,', false), 0x3d, 0xd8, 0x0a, 0),
      {},
      'loadCsv: row 1, column y: half a character is not valid UTF-16LE',
    ],
    [
      'UTF-16 without a mark',
      utf16('x,y\n1,2\n', false),
      {},
      'loadCsv: the names of the columns, number 0: a byte is 0: is the file UTF-16 without a byte-order ' +
        'mark, or no text?',
    ],
    ['a missing label', bytes('x,kind\n1,a\n2,\n'), {}, 'loadCsv: row 2, column kind: the label is missing'],
    ['a blank label', bytes('1, \n'), { header: false }, 'loadCsv: row 1, column 1: the label is missing'],
    [
      'one number, two classes',
      bytes('x,y\n1,1\n2,1.0\n'),
      {},
      'loadCsv: labels "1" and "1.0" are one number, expected one spelling of it, or classes that list both',
    ],
    [
      'one name, two columns',
      bytes('x,y,y\n1,2,3\n'),
      { label: 'y' },
      'loadCsv: two columns are named "y", expected one: give its number',
    ],
    [
      'lines of old Macs',
      bytes('x,y\r1,a\r2,b\r'),
      {},
      'parseCsv: lines end in CR alone, as old Macs wrote them, ' +
        'expected LF or CRLF: save the file with other line ends',
    ],
    ['mixed line ends', bytes('x,y\n1,a\r2,b\n'), {}, 'parseCsv: line 2: a carriage return stands alone'],
    [
      'a workbook',
      raw('PK\x03\x04...xl/workbook.xml'),
      {},
      'loadCsv: the file is an Excel workbook (xlsx), expected text: export the sheet as CSV',
    ],
    [
      'a zip archive',
      raw('PK\x03\x04...table.csv'),
      {},
      'loadCsv: the file is a zip archive, expected text: unpack it',
    ],
    [
      'an old workbook',
      raw('\xd0\xcf\x11\xe0'),
      {},
      'loadCsv: the file is an old Excel workbook (xls), expected text: export the sheet as CSV',
    ],
    [
      'NumPy',
      raw('\x93NUMPY\x01\0'),
      {},
      'loadCsv: the file is a NumPy array (npy), expected text: read it with decodeNpy',
    ],
    [
      'a file above maxBytes',
      bytes('x,y\n1,2\n'),
      { maxBytes: 7 },
      'loadCsv: the file has 8 bytes, expected at most maxBytes, 7: split it',
    ],
    [
      'a gzip file above maxBytes',
      new Uint8Array(gzipSync('x,y\n1,2\n')),
      { maxBytes: 7 },
      'loadCsv: source: gunzip: inflates to more than 7 bytes, expected at most maxBytes',
    ],
    [
      'gzip twice',
      new Uint8Array(gzipSync(gzipSync('x,y\n1,2\n'))),
      {},
      'loadCsv: the file is a gzip file inside another, expected text: unpack it',
    ],
  ])('refuses %s', async (_, file, options, message) => {
    expect(await formatErrorOf(() => loadCsv(file, options))).toContain(message);
  });
  test('classes that are given twice are refused', async () => {
    await expect(loadCsv(bytes('x,y\n1,a\n'), { classes: ['a', 'a '] })).rejects.toThrow(
      new RangeError('loadCsv: classes are a, a , expected names that differ'),
    );
  });
  test('any bytes: a dataset, or a FormatError of at most 300 characters', async () => {
    const piece = fc.constantFrom(
      '1',
      'a',
      ',',
      '\n',
      '\r',
      '"',
      ' ',
      '\xe4',
      '\xc3\xa4',
      '\0',
      'PK',
      '\xff\xfe',
      'x'.repeat(200),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
        const error = await loadCsv(raw(pieces.join(''))).then(
          () => null,
          (reason: unknown) => reason,
        );
        if (error === null) return;
        expect(error).toBeInstanceOf(FormatError);
        expect((error as Error).message.length).toBeLessThanOrEqual(300);
      }),
      { numRuns: 500 },
    );
  });
  test('what was written comes back: labels apart from blanks, values as f32', async () => {
    const label = fc
      .string({ minLength: 1, unit: fc.constantFrom('a', 'b', ' ', '"', ',', '\n', 'é') })
      .filter((text) => text.trim() !== '');
    const row = fc.tuple(fc.float({ noNaN: true, noDefaultInfinity: true }), label);
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), async (rows) => {
        const data = await loadCsv(
          bytes(rows.map(([x, text]) => `${Object.is(x, -0) ? '-0' : x},"${text.replaceAll('"', '""')}"\n`).join('')),
          { header: false },
        );
        expect(Array.from(data.x.data)).toEqual(rows.map(([x]) => x));
        expect(Array.from(data.y, (c) => data.classNames[c])).toEqual(rows.map(([, text]) => text.trim()));
      }),
    );
  });
});

describe('loadImageFolder', () => {
  const decode = (
    bytes: Uint8Array,
    [height, width]: readonly [number, number],
  ): Promise<{ width: number; height: number; data: number[] }> =>
    Promise.resolve({
      width,
      height,
      data: Array.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : bytes[0]! + i)),
    });
  const files: [string, Uint8Array][] = [
    ['set/dog/1.png', Uint8Array.of(40)],
    ['set/cat/2.png', Uint8Array.of(80)],
    ['set/cat/1.png', Uint8Array.of(0)],
  ];
  test('classes are folders, in the order of their names', async () => {
    const data = await loadImageFolder(files, { size: [1, 2], decode });
    expect(data).toMatchObject({ y: Int32Array.of(0, 0, 1), classNames: ['cat', 'dog'], classCounts: [2, 1] });
    expect(data.x.shape).toEqual([3, 3, 1, 2]);
    // The planes of the first picture: red 0, 4; green 1, 5; blue 2, 6.
    expect([...data.x.data.slice(0, 6)]).toEqual([0, 4, 1, 5, 2, 6].map((v) => Math.fround(v / 255)));
  });
  test('one channel is luma', async () => {
    const { x } = await loadImageFolder([['a/1', Uint8Array.of(10)]], { size: [1, 1], channels: 1, decode });
    expect(x.shape).toEqual([1, 1, 1, 1]);
    expect(x.data[0]).toBeCloseTo((0.299 * 10 + 0.587 * 11 + 0.114 * 12) / 255, 7);
  });
  test('errors', async () => {
    const options = { size: [1, 1] as const, decode };
    await expect(loadImageFolder([], options)).rejects.toThrow('loadImageFolder: no files, expected at least one');
    await expect(loadImageFolder([['x.png', Uint8Array.of(1)]], options)).rejects.toThrow(
      'loadImageFolder: x.png lies in no folder, expected class/file',
    );
    await expect(loadImageFolder(files, { size: [0, 1], decode })).rejects.toThrow(
      'loadImageFolder: size[0] is 0, expected a positive integer',
    );
    await expect(loadImageFolder(files, { size: [1, 1] })).rejects.toThrow(
      'loadImageFolder: there is no picture decoder here (Node has none)',
    );
    await expect(
      loadImageFolder(files, { size: [1, 1], decode: () => Promise.reject(new Error('bad bytes')) }),
    ).rejects.toThrow('loadImageFolder: set/cat/1.png does not decode: bad bytes');
    await expect(loadImageFolder(files, { size: [2, 2], decode: (b) => decode(b, [1, 1]) })).rejects.toThrow(
      'loadImageFolder: set/cat/1.png came as 1 x 1 with 4 bytes, expected 2 x 2 RGBA',
    );
  });
});
