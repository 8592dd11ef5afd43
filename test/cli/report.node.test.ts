import { describe, expect, test } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/cli/demo-settings.ts';
import { renderReport } from '../../src/cli/report.ts';
import { escape, ticks } from '../../src/cli/svg.ts';
import { syntheticSummary } from './synthetic-summary.ts';

const html = renderReport(syntheticSummary(), DEFAULT_SETTINGS);
const VOID = new Set(['meta', 'br', '!doctype']);

/** Names of elements left open, or the first close tag that matches none. */
function unbalanced(markup: string): string[] {
  const open: string[] = [];
  for (const [, close, name, , empty] of markup
    .replace(/<style>[^]*?<\/style>/, '')
    .matchAll(/<(\/?)([!\w]+)((?:[^<>"]|"[^"]*")*?)(\/?)>/g)) {
    if (close && open.pop() !== name) return [`</${name}>`];
    if (!close && !empty && !VOID.has(name!.toLowerCase())) open.push(name!);
  }
  return open;
}

describe('renderReport', () => {
  test('has every section and chart', () => {
    for (const title of ['Results', 'The long tail', 'Training', 'Calibration', 'Certification', 'Protocol'])
      expect(html).toContain(`<h2>${title}</h2>`);
    // Counts, per class, loss, balanced accuracy, two reliability diagrams a method, certified accuracy.
    expect(html.match(/<svg /g)).toHaveLength(9);
    const text = html.replace(/<[^>]+>/g, '').replaceAll('&nbsp;', ' ');
    expect(text).toContain('Balanced accuracy 92.0 % with LDAM-DRW, 87.0 % with CE');
    expect(html).toContain('npm run reproduce -- ldam-drw');
  });

  test('says for which classes the temperature was fitted, and why', () => {
    expect(html).toContain(
      'weighted so that all classes are alike, as in the test set: as it is, long-tailed, it would speak for ' +
        'the frequent classes',
    );
    const summary = syntheticSummary();
    for (const m of summary.methods) m.prior = [0.7, 0.3];
    expect(renderReport(summary, DEFAULT_SETTINGS)).toContain('class shares estimated from the test images by EM');
  });

  test('stands alone: no script, no address, no image or font from elsewhere', () => {
    expect(html).not.toMatch(/<script|https?:|src=|@import|url\(/);
    expect(html.startsWith('<!doctype html>')).toBe(true);
  });

  test('escapes text', () => {
    expect(html).toContain('test adapter &#60;x&#62; &#38; &#34;y&#34;');
    expect(html).not.toContain('<x>');
    expect(html).not.toContain('"<b>"');
    expect(escape(`<a b="c" d='e'>&`)).toBe('&#60;a b=&#34;c&#34; d=&#39;e&#39;&#62;&#38;');
  });

  test('closes every element and holds no number that is none', () => {
    expect(unbalanced(html)).toEqual([]);
    expect(html).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });

  test('works for one method, one epoch, empty groups, no certificate, and many classes', () => {
    const summary = syntheticSummary(['ce']);
    const [only] = summary.methods;
    Object.assign(only!, {
      many: null,
      medium: null,
      perClass: Array.from({ length: 30 }, () => 0.5),
      history: { loss: [0.7], balancedAccuracy: [0.5] },
    });
    only!.certified.points = [{ index: 0, label: 1, predicted: -1, radius: 0 }];
    only!.certified.accuracyAtRadius = [[0, 0]];
    const page = renderReport(
      { ...summary, epochs: 1, classCounts: Array.from({ length: 30 }, () => 1) },
      DEFAULT_SETTINGS,
    );
    expect(unbalanced(page)).toEqual([]);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
    expect(page).not.toContain('usual limit of 20');
    expect(page.match(/<svg /g)).toHaveLength(7);
  });
});

test('ticks are round, within the range, and three to seven', () => {
  for (const [low, high] of [
    [0, 1],
    [0, 6397],
    [0.3, 1],
    [0, 0.66],
    [0, 1e-6],
    [0, 30],
  ] as const) {
    const marks = ticks(low, high);
    expect(marks.length).toBeGreaterThanOrEqual(3);
    expect(marks.length).toBeLessThanOrEqual(7);
    expect(marks[0]).toBeGreaterThanOrEqual(low - 1e-12);
    expect(marks.at(-1)).toBeLessThanOrEqual(high * (1 + 1e-9));
  }
  expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
});
