import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

/** Root of the repository. */
export const root = resolve(import.meta.dirname, '../..');

/** The pages: those of the top level and all of docs. */
export const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => relative(root, join(root, 'docs', name)))
    .sort(),
];

/** A page as text. */
export const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

/** A fenced block of a page: its language, the line of its first line of code counted from 1, its code. */
export interface Block {
  readonly page: string;
  readonly language: string;
  readonly line: number;
  readonly code: string;
}

/** The fenced blocks of a page. */
export function blocksOf(page: string): Block[] {
  const text = textOf(page);
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((m) => ({
    page,
    language: m[1]!,
    line: text.slice(0, m.index).split('\n').length + 1,
    code: m[2]!,
  }));
}

/** Text of a page outside its fenced blocks, each at its line. */
export const proseOf = (page: string): string =>
  textOf(page).replace(/^```\w*\n[\s\S]*?^```$/gm, (block) => block.replace(/[^\n]/g, ''));

/** Anchors that GitHub gives the headings of a page. */
export function anchorsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

/** The comments of a source, each at its line; the code is left out. */
export function commentsOf(source: string): string {
  return source.replace(/(\/\*\*?[\s\S]*?\*\/|\/\/ .*$)|[^\n]/gm, (_, comment?: string) => comment ?? '');
}
