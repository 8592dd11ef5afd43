import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { writeDeclaration, wgsl } from './wgsl-plugin.ts';

const root = resolve(process.cwd());
const at = (...parts: string[]): string => join(root, ...parts);
const runtime = '../src/gpu/kernel.ts';

/** Writes the typed declaration of every shader. */
export function declareShaders(): void {
  for (const file of readdirSync(at('shaders'))) if (file.endsWith('.wgsl')) writeDeclaration(at('shaders', file), runtime);
}

/** Public entries: `evenkeel`, for browsers and for Node, and one for each folder with an index. */
export function libraryEntries(): string[] {
  const folders = readdirSync(at('src'), { withFileTypes: true }).filter((d) => d.isDirectory() && existsSync(at('src', d.name, 'index.ts')));
  return [at('src/index.ts'), at('src/index.node.ts'), ...folders.filter((d) => d.name !== 'gpu' && d.name !== 'cli').map((d) => at('src', d.name, 'index.ts'))];
}

/** `dist`: the library as ESM with source maps and declarations, the shader plugin, the CLI and its page. */
async function main(): Promise<void> {
  declareShaders();
  if (process.argv.includes('--declare')) return;
  rmSync(at('dist'), { recursive: true, force: true });
  const common = { absWorkingDir: root, format: 'esm', bundle: true, sourcemap: true, target: 'es2022', legalComments: 'none', logLevel: 'warning' } as const;
  const self = (index: string): Plugin => ({
    name: 'self',
    setup(b) {
      b.onResolve({ filter: /^evenkeel(\/|$)/ }, ({ path }) => ({ path: path === 'evenkeel' ? at('src', index) : at('src', path.slice('evenkeel/'.length), 'index.ts') }));
    },
  });
  const shaders = wgsl({ runtime: at('src/gpu/kernel.ts'), declarations: false });
  await build({ ...common, entryPoints: libraryEntries(), outdir: at('dist'), outbase: at('src'), splitting: true, chunkNames: 'chunks/[hash]', platform: 'neutral', plugins: [shaders] });
  // wgsl_reflect goes into the plugin, which so needs no package; its licence asks for its notice.
  const notice = `/*! The part from wgsl_reflect:\n${readFileSync(at('node_modules/wgsl_reflect/LICENSE.md'), 'utf8').trim()}\n*/`;
  await build({ ...common, entryPoints: [at('src/build/wgsl-plugin.ts')], outdir: at('dist/build'), platform: 'node', sourcemap: false, banner: { js: notice } });
  if (existsSync(at('src/cli/main.ts'))) {
    // `self` would be `evenkeel` for a user; here the CLI shares the chunks of nothing and stands alone.
    await build({ ...common, entryPoints: [at('src/cli/main.ts')], outdir: at('dist/cli'), platform: 'node', packages: 'external', plugins: [self('index.node.ts'), shaders], banner: { js: '#!/usr/bin/env node' } });
    await build({ ...common, entryPoints: [at('src/cli/page.ts')], outdir: at('dist/cli'), platform: 'browser', plugins: [self('index.ts'), shaders] });
  }
  writeFileSync(at('dist/tsconfig.json'), JSON.stringify(declarationConfig()));
  try {
    execFileSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', at('dist/tsconfig.json')], { stdio: 'inherit' });
  } finally {
    rmSync(at('dist/tsconfig.json'));
  }
  // Declarations keep the `.ts` of the sources, which resolves to nothing beside them.
  for (const file of readdirSync(at('dist'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.d.ts')) continue;
    const text = readFileSync(at('dist', file), 'utf8');
    writeFileSync(at('dist', file), text.replace(/((?:from |import\()['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'));
  }
}

function declarationConfig(): object {
  return {
    extends: '../tsconfig.json',
    compilerOptions: { noEmit: false, declaration: true, emitDeclarationOnly: true, declarationMap: true, rewriteRelativeImportExtensions: true, rootDir: '../src', outDir: '.', paths: {} },
    include: ['../src', '../shaders'],
    exclude: ['../src/cli', '../src/build/build.ts'],
  };
}

await main();
