import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { writeDeclaration, wgsl } from './wgsl-plugin.ts';

const root = resolve(process.cwd());
const at = (...parts: string[]): string => join(root, ...parts);
const runtime = '../src/gpu/kernel.ts';
// The sources lie in the package, so that the maps need not hold them.
const common = {
  absWorkingDir: root,
  format: 'esm',
  bundle: true,
  sourcemap: true,
  sourcesContent: false,
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
} as const;

/** Folders of `src` that are no part of the library: they have a program or an entry of their own. */
const OUTSIDE = ['cli', 'build'];

/** Files below `folder` whose names end as `ending` says, declarations left out. */
function filesOf(folder: string, ending: RegExp): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => ending.test(name) && !/\.d\.(\w+\.)?ts$/.test(name)).map((name) => join(folder, name));
}

/** Writes the typed declaration of every shader. */
function declareShaders(): void {
  for (const file of readdirSync(at('shaders')))
    if (file.endsWith('.wgsl')) writeDeclaration(at('shaders', file), runtime);
}

/** What a source or shader becomes in `dist`. */
function built(file: string): string {
  const inside = file.startsWith(at('src') + sep) ? relative(at('src'), file) : relative(root, file);
  return at('dist', inside.replace(/\.(ts|wgsl)$/, '.js'));
}

/** Imports stay imports, of the built file next to this one. */
const separate: Plugin = {
  name: 'separate',
  setup(b) {
    b.onResolve({ filter: /^(\.|\/|[A-Z]:)/i }, ({ path, importer, kind }) => {
      if (kind === 'entry-point') return undefined;
      const to = relative(dirname(built(importer)), built(resolve(dirname(importer), path)))
        .split(sep)
        .join('/');
      return { path: to.startsWith('.') ? to : `./${to}`, external: true };
    });
  },
};

/**
 * The library, one file a module: bundlers drop a module that nothing imports, which they cannot do with parts of a
 * shared one.
 */
async function buildModules(): Promise<void> {
  const sources = filesOf(at('src'), /\.ts$/).filter(
    (file) => !OUTSIDE.includes(relative(at('src'), file).split(sep)[0]!),
  );
  const shaders = readdirSync(at('shaders'))
    .filter((name) => name.endsWith('.wgsl'))
    .map((name) => at('shaders', name));
  const plugins = [separate, wgsl({ runtime: at('src/gpu/kernel.ts'), declarations: false })];
  await build({
    ...common,
    entryPoints: sources,
    outdir: at('dist'),
    outbase: at('src'),
    platform: 'neutral',
    plugins: [separate],
  });
  await build({
    ...common,
    entryPoints: shaders,
    outdir: at('dist/shaders'),
    outbase: at('shaders'),
    platform: 'neutral',
    sourcemap: false,
    plugins,
  });
}

/** `evenkeel` is this tree; `index` is the entry for the host. */
const self = (index: string): Plugin => ({
  name: 'self',
  setup(b) {
    b.onResolve({ filter: /^evenkeel(\/|$)/ }, ({ path }) => ({
      path: path === 'evenkeel' ? at('src', index) : at('src', path.slice('evenkeel/'.length), 'index.ts'),
    }));
  },
});

/**
 * `evenkeel.min.js`: all of evenkeel in one file, each entry but the first as an object of its name, for pages without
 * a bundler; and in `web` a file an entry that hands out what is in that object, for import maps.
 */
async function buildSingle(): Promise<void> {
  const names = readdirSync(at('src')).filter((name) => existsSync(at('src', name, 'index.ts')) && name !== 'gpu');
  const contents = [
    "export * from 'evenkeel';",
    ...names.map((name) => `export * as ${name} from 'evenkeel/${name}';`),
  ].join('\n');
  const plugins = [self('index.ts'), wgsl({ runtime: at('src/gpu/kernel.ts'), declarations: false })];
  await build({
    ...common,
    stdin: { contents, resolveDir: root },
    outfile: at('dist/evenkeel.min.js'),
    minify: true,
    sourcemap: false,
    platform: 'browser',
    plugins,
  });
  mkdirSync(at('dist/web'));
  // What the entries export is read off the modules, in full.
  const modules = names.map((name) => ({ in: at('dist', name, 'index.js'), out: name }));
  const { metafile } = await build({
    ...common,
    entryPoints: modules,
    outdir: at('dist/web'),
    metafile: true,
    write: false,
    sourcemap: false,
    platform: 'browser',
    ignoreAnnotations: true,
  });
  for (const name of names) {
    const { exports } = metafile.outputs[`dist/web/${name}.js`]!;
    writeFileSync(
      at('dist/web', `${name}.js`),
      `import { ${name} } from '../evenkeel.min.js';\nexport const { ${exports.join(', ')} } = ${name};\n`,
    );
  }
}

/** `evenkeel/build`, with wgsl_reflect inside, so that it needs no package; its licence asks for its notice. */
async function buildPlugin(): Promise<void> {
  const notice =
    '/*! The part from ' +
    `wgsl_reflect:\n${readFileSync(at('node_modules/wgsl_reflect/LICENSE.md'), 'utf8').trim()}\n*/`;
  await build({
    ...common,
    entryPoints: [at('src/build/wgsl-plugin.ts')],
    outdir: at('dist/build'),
    platform: 'node',
    sourcemap: false,
    banner: { js: notice },
  });
}

/** The command line and its page, each in one file. */
async function buildProgram(): Promise<void> {
  const shaders = wgsl({ runtime: at('src/gpu/kernel.ts'), declarations: false });
  const outdir = at('dist/cli');
  await build({
    ...common,
    entryPoints: [at('src/cli/main.ts')],
    outdir,
    platform: 'node',
    packages: 'external',
    plugins: [self('index.node.ts'), shaders],
    banner: { js: '#!/usr/bin/env node' },
  });
  await build({
    ...common,
    entryPoints: [at('src/cli/page.ts')],
    outdir,
    platform: 'browser',
    plugins: [self('index.ts'), shaders],
  });
}

/** Declarations, and a copy of them for TypeScript before 5.7, whose typed arrays take no parameter. */
function declare(): void {
  writeFileSync(at('dist/tsconfig.json'), JSON.stringify(declarationConfig()));
  try {
    execFileSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', at('dist/tsconfig.json')], {
      stdio: 'inherit',
    });
  } finally {
    rmSync(at('dist/tsconfig.json'));
  }
  for (const file of filesOfDeclarations()) {
    // They keep the `.ts` of the sources, which resolves to nothing in that folder.
    const text = readFileSync(file, 'utf8').replace(
      /((?:from |import\(|declare module )['"]\.[^'"]*)\.ts(['"])/g,
      '$1.js$2',
    );
    writeFileSync(file, text);
    const older = at('dist/ts5.6', relative(at('dist'), file));
    mkdirSync(dirname(older), { recursive: true });
    writeFileSync(
      older,
      text
        .replace(/\b((?:Big)?(?:Float|Int|Uint)\d+(?:Clamped)?Array|ArrayBufferView|DataView)<[\w\s|]*>/g, '$1')
        .replace(/^\/\/# sourceMappingURL.*$/m, ''),
    );
  }
}

function filesOfDeclarations(): string[] {
  return readdirSync(at('dist'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.d.ts'))
    .map((name) => at('dist', name));
}

function declarationConfig(): object {
  return {
    extends: '../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      declarationMap: true,
      stripInternal: true,
      rewriteRelativeImportExtensions: true,
      rootDir: '../src',
      outDir: '.',
      paths: {},
    },
    include: ['../src', '../shaders'],
    exclude: ['../src/cli', '../src/build/build.ts'],
  };
}

/**
 * `dist`: the library, its plugin, the command line and the declarations; with `--declare` only those of the shaders.
 */
async function main(): Promise<void> {
  declareShaders();
  if (process.argv.includes('--declare')) return;
  rmSync(at('dist'), { recursive: true, force: true });
  await buildModules();
  await buildSingle();
  await buildPlugin();
  if (existsSync(at('src/cli/main.ts'))) await buildProgram();
  declare();
}

await main();
