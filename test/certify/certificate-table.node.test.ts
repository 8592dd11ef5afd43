import { describe, expect, test } from 'vitest';
import { formatCertificate, parseCertificates, roundedDown } from '../../src/certify/smoothing/certificate-table.ts';
import { hostUniform, key } from '../../src/random/index.ts';

const HEADER = 'idx\tlabel\tpredict\tradius\tcorrect\ttime\n';
const row = { index: 20, label: 3, predict: 3, radius: 1.2345678, correct: true, seconds: 3723.5 };

test("a line of the field's table", () => {
  expect(formatCertificate(row)).toBe('20\t3\t3\t1.234567\t1\t1:02:03.500000\n');
  expect(formatCertificate({ ...row, predict: -1, radius: 0, correct: false, seconds: 0.0123456 })).toBe(
    '20\t3\t-1\t0.000000\t0\t0:00:00.012346\n',
  );
  expect(formatCertificate({ ...row, seconds: 59.9999999 })).toMatch(/\t0:01:00\.000000\n$/);
});

test('radii are rounded down, and what is rounded stays', () => {
  for (const r of [...hostUniform(1, 2000, key(1), { high: 4 }), 0, 0.1 + 0.2, 2.3, 0.000001, 1.1e-7]) {
    const down = roundedDown(r);
    expect(down <= r && r - down < 1.0001e-6).toBe(true);
    expect(roundedDown(down)).toBe(down);
    expect(Number(formatCertificate({ ...row, radius: r }).split('\t')[3])).toBe(down);
  }
});

describe('reading', () => {
  const lines = [row, { ...row, index: 40, predict: -1, radius: 0, correct: false }].map(formatCertificate).join('');
  test('gives the rows back', () => {
    const { rows, text } = parseCertificates(HEADER + lines);
    expect(rows).toEqual([
      { ...row, radius: 1.234567 },
      { ...row, index: 40, predict: -1, radius: 0, correct: false },
    ]);
    expect(text).toBe(HEADER + lines);
  });
  test('a torn last line is left out, of a torn header nothing stays, an empty text has no rows', () => {
    for (let cut = 1; cut <= lines.length; cut++) {
      const { rows, text } = parseCertificates((HEADER + lines).slice(0, -cut));
      expect(text + lines.slice(text.length - HEADER.length)).toBe(HEADER + lines);
      expect(rows.length).toBe(text.split('\n').length - 2);
    }
    expect(parseCertificates('')).toEqual({ rows: [], text: HEADER });
    expect(parseCertificates('idx\tlab')).toEqual({ rows: [], text: HEADER });
    expect(parseCertificates(HEADER)).toEqual({ rows: [], text: HEADER });
  });
  test('tables of the published code: three digits, days, carriage returns', () => {
    const text = `${HEADER}0\t7\t7\t0.914\t1\t0:00:11.361968\n20\t9\t-1\t0.0\t0\t1 day, 2:00:01\n`;
    expect(parseCertificates(text).rows.map(({ radius, seconds }) => [radius, seconds])).toEqual([
      [0.914, 11.361968],
      [0, 93601],
    ]);
    expect(parseCertificates(text.replaceAll('\n', '\r\n')).rows).toEqual(parseCertificates(text).rows);
  });
  test.each([
    [
      'index,label\n',
      'parseCertificates: line 1 is "index,label", expected the header ' +
        '"idx\\tlabel\\tpredict\\tradius\\tcorrect\\ttime"',
    ],
    ['nonsense', 'line 1 is "nonsense"'],
    [`${HEADER}0\t7\t7\tnan\t1\t0:00:01\n`, 'line 2 is "0\\t7\\t7\\tnan\\t1\\t0:00:01", expected six columns'],
    [`${HEADER}${lines}${lines.slice(3)}`, 'line 4 is'],
    [`${HEADER}\n`, 'line 2 is ""'],
  ])('refuses %j', (text, message) => {
    expect(() => parseCertificates(text)).toThrow(message);
    expect(() => parseCertificates(text)).toThrow(SyntaxError);
  });
});
