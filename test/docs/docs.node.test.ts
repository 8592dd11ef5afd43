// Holds the pages to the code: blocks of code are type-checked, links lead somewhere, commands exist.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { experiments } from '../../examples/reproduce/index.ts';
import { writeDeclaration } from '../../src/build/wgsl-plugin.ts';
import { anchorsOf, blocksOf, commentsOf, pages, proseOf, root, textOf, type Block } from './blocks.ts';

const manifest = JSON.parse(textOf('package.json')) as {
  exports: Record<string, unknown>;
  scripts: Record<string, string>;
};

/** Public entries that give names. */
const entries = Object.keys(manifest.exports)
  .filter((name) => !/js(on)?$|^\.\/methods$/.test(name))
  .map((name) => `evenkeel${name.slice(1)}`);

const blocks = pages.flatMap(blocksOf).filter(({ language }) => ['js', 'ts'].includes(language));

/** The public entry of each name that one exports. */
async function entryOfNames(): Promise<Map<string, string>> {
  const entryOf = new Map<string, string>();
  for (const entry of entries)
    for (const name of Object.keys((await import(/* @vite-ignore */ entry)) as object)) entryOf.set(name, entry);
  return entryOf;
}

/**
 * A block as a module of TypeScript whose lines have the numbers that they have on the page. A page names what it
 * uses; where a block does not import, it gets what it names from the one entry that exports it.
 */
function moduleOf({ code, line }: Block, entryOf: ReadonlyMap<string, string>): string {
  const named = code.matchAll(/\b(?:const|let|class|function)\s+(\w+)/g);
  const lists = code.matchAll(/[{[]([^{}[\]]*)[}\]]\s*(?:=|from)/g);
  const own = new Set([
    ...[...named].map((m) => m[1]!),
    ...[...lists].flatMap((m) => m[1]!.split(',').map((part) => /(\w+)\s*$/.exec(part)?.[1])),
  ]);
  const words = new Set(code.replace(/\/\/.*$/gm, '').match(/(?<!\w\.|[\w'`-])[A-Za-z]\w*(?!\w*\s*:(?!:))/g));
  const imports = [...words]
    .filter((word) => entryOf.has(word) && !own.has(word))
    .map((word) => `import { ${word} } from '${entryOf.get(word)}';`);
  return `${imports.join(' ')} export {};${'\n'.repeat(line - 1)}${code}`;
}

/** Runs the compiler on these modules, with the prelude; what it says, one complaint a line. */
function complaints(modules: ReadonlyMap<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-docs-'));
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const kernel = join(root, 'test/package/projects/kernel');
    cpSync(join(kernel, 'square.wgsl'), join(folder, 'mine.wgsl'));
    cpSync(join(kernel, 'lib'), join(folder, 'lib'), { recursive: true });
    writeDeclaration(join(folder, 'mine.wgsl'));
    for (const [name, text] of modules) writeFileSync(join(folder, name), text);
    const files = [...modules.keys(), join(root, 'test/docs/prelude.d.ts')];
    const compilerOptions = {
      target: 'ES2022',
      module: 'ESNext',
      moduleResolution: 'Bundler',
      lib: ['ES2022', 'DOM', 'DOM.Iterable', 'ESNext.Disposable'],
      types: ['@webgpu/types', 'node'],
      strict: true,
      // Pages are in JavaScript: parameters have no types.
      noImplicitAny: false,
      strictNullChecks: true,
      allowArbitraryExtensions: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      noEmit: true,
      paths: {
        evenkeel: [join(root, 'src/index.node.ts')],
        'evenkeel/build': [join(root, 'src/build/wgsl-plugin.ts')],
        'evenkeel/*': [join(root, 'src/*/index.ts')],
      },
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    try {
      execFileSync(
        process.execPath,
        [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'],
        {
          cwd: folder,
          encoding: 'utf8',
        },
      );
      return [];
    } catch (error) {
      // Of the modules; the sources that they import are checked with the whole tree.
      return (error as { stdout: string }).stdout.split('\n').filter((line) => modules.has(line.split('(')[0]!));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('every block of code keeps to the declarations', async () => {
  expect(blocks.length).toBeGreaterThan(50);
  const entryOf = await entryOfNames();
  const fileOf = (block: Block): string => `${block.page.replaceAll('/', '~')}~${block.line}.ts`;
  const found = complaints(new Map(blocks.map((block) => [fileOf(block), moduleOf(block, entryOf)])));
  expect(found.map((line) => line.replace(/~\d+\.ts\(/, '(').replaceAll('~', '/'))).toEqual([]);
  // The check finds an option, an export and an argument that do not exist.
  const wrong = `ldam({ classCounts: [1], temperature: 2 });\nnoSuchLoss();\nmodel.forward(3);`;
  const block = { page: '', language: 'js', line: 1, code: wrong };
  expect(complaints(new Map([['wrong.ts', moduleOf(block, entryOf)]]))).toHaveLength(3);
}, 120_000);

/** Code in text, between backticks: of the prose of a page, or of the comments of a source. */
function spansOf(file: string): { span: string; line: number }[] {
  const text = file.endsWith('.md') ? proseOf(file) : commentsOf(textOf(file));
  // PyTorch's side of the table.
  const own = file.endsWith('coming-from-python.md') ? text.replace(/^\| .*? \| /gm, '') : text;
  return [...own.matchAll(/`([^`\n]+)`/g)].map((m) => ({
    span: m[1]!,
    line: own.slice(0, m.index).split('\n').length,
  }));
}

/** Calls in a piece of code with the names of the options that each is given; `call` is '' for parentheses alone. */
function callsIn(code: string): { name: string; keys: string[] }[] {
  const calls: { name: string; keys: string[] }[] = [];
  let rest = code.replace(/'[^']*'/g, '0');
  for (;;) {
    const lists = rest.replace(/\[[^[\](){}]*\]/g, '0');
    // From the inside out: a call, a function body, an object inside another, whose places a 0 takes.
    const next = lists.replace(/([\w.]*)\(([^()]*)\)/, (_, name: string, list: string) => {
      let flat = list.replace(/=>\s*\{[^{}]*\}/g, '0');
      while (/\{[^{}]*\{/.test(flat)) flat = flat.replace(/(\{[^{}]*)\{[^{}]*\}/, '$10');
      const keys = [...flat.matchAll(/\{([^{}]*)\}/g)].flatMap((m) =>
        m[1]!.split(',').flatMap((part) => /^\s*(\w+)\s*(?::|$)/.exec(part)?.[1] ?? []),
      );
      calls.push({ name, keys });
      return '0';
    });
    if (next === rest) return calls;
    rest = next;
  }
}

/** Options of a call of `F`, a function with up to four overloads or a class. */
const OPTIONS = `
type Keys<T> = T extends object ? (T extends T ? keyof T : never) : never;
type Arguments<F> = F extends new (...args: infer A) => unknown ? A : F extends {
  (...args: infer A): unknown; (...args: infer B): unknown; (...args: infer C): unknown; (...args: infer D): unknown;
} ? A | B | C | D : never;
declare function options<F>(...keys: Keys<Arguments<F>[number]>[]): void;
`;

test('functions and options that text names exist', async () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ts$/.test(name) && !/\.d\.|^(cli|build)/.test(name))
    .map((name) => join('src', name));
  const entryOf = await entryOfNames();
  const defined = new Set(
    sources.flatMap((file) =>
      [...textOf(file).matchAll(/^\s*(?:export |async |static |function )*(\w+)\??[(<:]/gm)].map((m) => m[1]!),
    ),
  );
  const isKnown = (name: string): boolean =>
    entryOf.has(name) || defined.has(name) || name in globalThis || /^(if|for|function|import)$/.test(name);
  const unknown: string[] = [];
  const checks: { place: string; name: string; keys: string[] }[] = [];
  for (const file of [...pages, ...sources])
    for (const { span, line } of spansOf(file))
      for (const { name, keys } of callsIn(span)) {
        if (/^[a-z]\w+$/.test(name) && !isKnown(name)) unknown.push(`${file}:${line}: ${name}`);
        if (entryOf.has(name) && keys.length > 0) checks.push({ place: `${file}:${line}`, name, keys });
      }
  expect(unknown).toEqual([]);
  expect(checks.length).toBeGreaterThan(150);
  // An option that does not exist is found.
  checks.push({ place: 'here', name: 'ldam', keys: ['temperature'] });
  const lines = checks.map(
    ({ name, keys }) =>
      `options<typeof import('${entryOf.get(name)}').${name}>(${keys.map((key) => `'${key}'`).join()});`,
  );
  const found = complaints(new Map([['options.ts', `${lines.join('\n')}${OPTIONS}`]]));
  expect(
    found.map((line) => {
      const { place, name } = checks[Number(/\((\d+),/.exec(line)![1]) - 1]!;
      return `${place}: ${name}: ${/type '"(\w+)"'/.exec(line)?.[1] ?? line}`;
    }),
  ).toEqual(['here: ldam: temperature']);
  expect(
    callsIn('fit({ onEpoch: ({ epoch }) => { x(1); }, average: ema({ decay: 1 }), groups: [{ a }] })'),
  ).toContainEqual({
    name: 'fit',
    keys: ['onEpoch', 'average', 'groups'],
  });
}, 120_000);

test('links lead to files and headings that exist', () => {
  const broken: string[] = [];
  for (const page of pages)
    for (const [, link] of proseOf(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path, anchor] = link!.split('#') as [string, string | undefined];
      const target = path === '' ? page : relative(root, resolve(root, dirname(page), path));
      if (!existsSync(join(root, target)) || (anchor !== undefined && !anchorsOf(target).includes(anchor)))
        broken.push(`${page}: ${link}`);
    }
  expect(broken).toEqual([]);
});

test('every page is linked from the README', () => {
  const readme = textOf('README.md');
  expect(pages.filter((page) => page !== 'README.md' && !readme.includes(`(${page}`))).toEqual([]);
});

test('paths, commands and experiments that pages name exist', () => {
  const ids = experiments.map(({ id }) => id);
  const wrong: string[] = [];
  for (const page of pages) {
    const text = textOf(page);
    for (const [path] of text.matchAll(/(?<![\w/.*-])(?:src|test|shaders|examples|docs)\/[\w./-]*[\w]/g))
      if (!existsSync(join(root, path)) && !/NAME|FAMILY/.test(path)) wrong.push(`${page}: ${path}`);
    for (const [, script] of text.matchAll(/npm run ([\w-]+)/g))
      if (!(script! in manifest.scripts)) wrong.push(`${page}: npm run ${script}`);
    for (const [, name] of text.matchAll(/npm run reproduce -- ([a-z][\w-]*)/g))
      if (!ids.includes(name!)) wrong.push(`${page}: reproduce ${name}`);
  }
  expect(wrong).toEqual([]);
});
