import { gzipSync } from 'node:zlib';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { wgsl } from '../../src/build/wgsl-plugin.ts';
import { PAGE_BUNDLE } from '../support/page-bundle.ts';

const at = (...parts: string[]): string => join(process.cwd(), ...parts);

/** How pages are bundled: evenkeel from its sources. */
export function options(): BuildOptions {
  return {
    ...PAGE_BUNDLE,
    absWorkingDir: process.cwd(),
    plugins: [
      {
        name: 'self',
        setup(b) {
          b.onResolve({ filter: /^evenkeel(\/|$)/ }, ({ path }) => ({
            path: path === 'evenkeel' ? at('src/index.ts') : at('src', path.slice('evenkeel/'.length), 'index.ts'),
          }));
        },
      },
      wgsl({ runtime: at('src/gpu/kernel.ts'), declarations: false }),
    ],
  };
}

/** The script of one page of the benchmark. */
export async function pageScript(name: string): Promise<Uint8Array> {
  const { outputFiles } = await build({ ...options(), entryPoints: [at('test/bench', `${name}.ts`)] });
  return outputFiles![0]!.contents;
}

/** The program of the README: loads, trains, calibrates and certifies. */
function readmeProgram(): string {
  const [, program] = /```js\n([\s\S]*?)```/.exec(readFileSync(at('README.md'), 'utf8'))!;
  return program!;
}

/** Bytes of evenkeel in a user's bundle, minified and gzipped: all entries, and the program of the README. */
export async function bundleSizes(): Promise<{ all: number; program: number }> {
  const entries = readdirSync(at('src')).filter(
    (d) => !['gpu', 'cli', 'build'].includes(d) && existsSync(at('src', d, 'index.ts')),
  );
  const all = [`export * from 'evenkeel';`, ...entries.map((d) => `export * as ${d} from 'evenkeel/${d}';`)].join('\n');
  const size = async (contents: string): Promise<number> => {
    const { outputFiles } = await build({ ...options(), stdin: { contents, resolveDir: process.cwd() } });
    return gzipSync(outputFiles![0]!.contents, { level: 9 }).length;
  };
  return { all: await size(all), program: await size(readmeProgram()) };
}
