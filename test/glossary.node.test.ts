import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/glossary.md'), 'utf8');

/** Words in code marks of the first column of the tables below a heading. */
function column(heading: string): string[] {
  const part = page.split(/^## /m).find((text) => text.startsWith(heading));
  if (!part) throw new Error(`docs/glossary.md: no heading ${heading}`);
  return [...part.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(\w+)`/g)].map(([, word]) => word!),
  );
}

/** Names of options by interface, of every exported interface whose name ends in Options. */
function optionNames(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((f) => f.endsWith('.ts') && !/^(cli|build)[/\\]/.test(f))) {
    const text = readFileSync(join(root, 'src', file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    for (const [, name, body] of text.matchAll(/^export interface (\w+Options)\b[^{]*\{\n([\s\S]*?)^\}/gm))
      found.set(
        `${file}: ${name}`,
        [...body!.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, option]) => option!),
      );
  }
  return found;
}

const options = optionNames();

test('interfaces and words are found', () => {
  expect(options.size).toBeGreaterThan(80);
  expect(column('Words').length).toBeGreaterThan(60);
  expect(column('Not these').length).toBeGreaterThan(10);
});

test('an option that two interfaces have is in the glossary, once', () => {
  const words = column('Words');
  expect(words.filter((word, i) => words.indexOf(word) !== i)).toEqual([]);
  const users = new Map<string, string[]>();
  for (const [where, names] of options) for (const name of names) users.set(name, [...(users.get(name) ?? []), where]);
  expect([...users].filter(([name, list]) => list.length > 1 && !words.includes(name))).toEqual([]);
  // And the glossary names nothing that is not there.
  expect(words.filter((word) => !users.has(word))).toEqual([]);
});

test('no option has a name that the glossary rules out', () => {
  const ruledOut = new Set(column('Not these'));
  for (const [where, names] of options)
    expect(
      names.filter((name) => ruledOut.has(name)),
      where,
    ).toEqual([]);
});
