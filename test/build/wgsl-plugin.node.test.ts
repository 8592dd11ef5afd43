import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { wgsl, wgslVite, type WgslPluginOptions } from 'evenkeel/build';

const kernels = resolve(import.meta.dirname, '../package/projects/kernel');
let folder = '';
let shader = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-plugin-'));
  for (const name of ['square.wgsl', 'lib']) cpSync(join(kernels, name), join(folder, name), { recursive: true });
  shader = join(folder, 'square.wgsl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What esbuild would get for the shader. */
function loaded(options?: WgslPluginOptions): { contents: string; watchFiles: string[] } {
  let load: ((args: { path: string }) => { contents: string; watchFiles: string[] }) | null = null;
  wgsl(options).setup({ onLoad: (_, f) => (load = f) });
  return load!({ path: shader });
}

describe('both plugins', () => {
  test('give the same module, and name the files that it was made of', () => {
    const { contents, watchFiles } = loaded();
    const watched: string[] = [];
    expect(wgslVite().load.call({ addWatchFile: (path: string) => void watched.push(path) }, shader)).toBe(contents);
    expect(contents).toMatch(/^import \{ defineKernel \} from "evenkeel";\n/);
    expect(contents).toContain('fn square(x:f32)');
    expect(watched).toEqual([shader, join(folder, 'lib/square.wgsl')]);
    expect(watchFiles).toEqual(watched);
  });

  test.each([
    ['wgsl', loaded],
    ['wgslVite', (options?: WgslPluginOptions) => wgslVite(options).load(shader)],
  ])('%s writes the declaration, from the runtime asked for, unless told not to', (_, load) => {
    const declaration = join(folder, 'square.d.wgsl.ts');
    load({ declarations: false });
    expect(existsSync(declaration)).toBe(false);
    load({ runtime: '../kernel.ts' });
    expect(readFileSync(declaration, 'utf8')).toContain(
      "import type { Kernel, KernelModule } from '../kernel.ts';\nexport declare const module: KernelModule;\ninterface Params { n: number; scale: number }",
    );
  });

  test.each([
    ['wgsl', wgsl],
    ['wgslVite', wgslVite],
  ])('%s refuses an unknown option', (name, plugin) => {
    expect(() => plugin({ declaration: false } as object)).toThrow(
      new TypeError(`${name}: unknown option 'declaration', did you mean 'declarations'?`),
    );
    expect(() => plugin(null as unknown as undefined)).toThrow(
      new TypeError(`${name}: options are null, expected an object`),
    );
  });
});

test('Vite keeps its own ways to import a text, and other files', () => {
  const plugin = wgslVite();
  for (const query of ['?raw', '?url', '?import&raw', '?inline']) expect(plugin.load(shader + query)).toBeUndefined();
  expect(plugin.load(join(folder, 'main.ts'))).toBeUndefined();
  expect(plugin.load(`${shader}?t=123`)).toContain('defineKernel');
});
