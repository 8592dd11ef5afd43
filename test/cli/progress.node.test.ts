import { describe, expect, test } from 'vitest';
import { formatDuration, formatProgress, Progress } from '../../src/cli/progress.ts';
import { formatTable, percent } from '../../src/cli/table.ts';

test('durations', () => {
  expect([0, 7.4, 59.6, 723, 3723, -1].map(formatDuration)).toEqual([
    '0:00',
    '0:07',
    '1:00',
    '12:03',
    '1:02:03',
    '0:00',
  ]);
});

test('a line has percentage, note, rate, remaining time and loss', () => {
  const line = formatProgress({
    label: 'CE train',
    done: 25,
    total: 100,
    seconds: 10,
    stepsPerSecond: 2.5,
    loss: 0.1234,
    note: 'epoch 1/4',
  });
  expect(line).toBe('CE train  ━━━━━━──────────────────   25%  epoch 1/4  2.5/s  ETA 0:30  loss 0.123');
});

test('a line is whole before the first step, after the last, and without a total', () => {
  expect(formatProgress({ label: 'a', done: 0, total: 10, seconds: 0 })).toMatch(/^a {2}─{24} {4}0%$/);
  expect(formatProgress({ label: 'a', done: 10, total: 10, seconds: 2 })).toMatch(/━{24} {2}100% {2}5\.0\/s$/);
  expect(formatProgress({ label: 'a', done: 0, total: 0, seconds: 0 })).not.toMatch(/NaN|Infinity/);
});

function screen(isTTY: boolean): { text: string; isTTY: boolean; columns: number; write(s: string): void } {
  return {
    text: '',
    isTTY,
    columns: 60,
    write(s) {
      this.text += s;
    },
  };
}

describe('Progress', () => {
  const play = (isTTY: boolean): string => {
    let now = 0;
    const out = screen(isTTY);
    const progress = new Progress(out, () => (now += 100));
    progress.handle({ type: 'adapter', adapter: { name: 'x', kind: 'software' } });
    progress.handle({ type: 'phase', label: 'train', total: 2 });
    progress.handle({ type: 'step', done: 1, loss: 0.5 });
    progress.handle({ type: 'line', text: 'hello' });
    progress.handle({ type: 'step', done: 2, loss: 0.25 });
    progress.handle({ type: 'phase', label: 'test', total: 1 });
    progress.end(false);
    return out.text;
  };

  test('piped: one line a finished phase, and no control characters', () => {
    expect(play(false)).toMatch(/^adapter: x \(software\)\nhello\ntrain: done in 0:\d\d, loss 0\.250\n$/);
  });

  test('on a terminal: redraws one line, never wider than the screen, and leaves it clean', () => {
    const text = play(true);
    for (const part of text.split('\r\x1b[2K'))
      for (const line of part.split('\n')) expect(line.length).toBeLessThan(60);
    expect(text).toContain('hello\n');
    expect(text.endsWith('\r\x1b[2K')).toBe(true);
  });
});

test('tables align, and percentages show what is missing', () => {
  expect(
    formatTable(
      ['m', 'acc'],
      [
        ['CE', '9.1'],
        ['LDAM', '10.25'],
      ],
    ),
  ).toBe('m       acc\n───────────\nCE      9.1\nLDAM  10.25');
  expect([percent(0.12345), percent(1, 0), percent(null), percent(NaN)]).toEqual(['12.35', '100', '–', '–']);
});
