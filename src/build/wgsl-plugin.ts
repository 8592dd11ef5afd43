import { writeFileSync, existsSync, readFileSync } from 'node:fs';
import { expectOptions } from '../check/options.ts';
import { declareWgsl, emitWgsl, loadWgsl } from './wgsl.ts';

/** The part of esbuild's plugin interface that is used; written out, so that its types are no dependency. */
export interface EsbuildPlugin {
  name: string;
  setup(build: {
    onLoad(
      options: { filter: RegExp },
      load: (args: { path: string }) => { contents: string; loader: 'js'; watchFiles: string[] },
    ): void;
  }): void;
}

/** Options of the shader plugins. */
export interface WgslPluginOptions {
  /** Module that provides `defineKernel` and the type `Kernel`. Default: 'evenkeel'. */
  runtime?: string;
  /** Write `x.d.wgsl.ts` next to each shader, so that `tsc` knows its parameters and bindings. Default: true. */
  declarations?: boolean;
}

const OPTIONS = ['runtime', 'declarations'] as const;

/** Writes the typed declaration of one shader when it changed. */
export function writeDeclaration(path: string, runtime = 'evenkeel', module = loadWgsl(path).module): void {
  const text = declareWgsl(module, runtime);
  const target = path.replace(/\.wgsl$/, '.d.wgsl.ts');
  if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
}

/** esbuild plugin: `import kernel from './x.wgsl'` gives typed kernels, reflected at build time. */
export function wgsl(options: WgslPluginOptions = {}): EsbuildPlugin {
  expectOptions('wgsl', options, OPTIONS);
  const { runtime = 'evenkeel', declarations = true } = options;
  return {
    name: 'evenkeel-wgsl',
    setup(build) {
      build.onLoad({ filter: /\.wgsl$/ }, ({ path }) => {
        const { module, files } = loadWgsl(path);
        if (declarations) writeDeclaration(path, runtime, module);
        return { contents: emitWgsl(module, runtime), loader: 'js', watchFiles: files };
      });
    },
  };
}

/** The part of Vite's plugin interface that is used. */
export interface VitePlugin {
  name: string;
  enforce: 'pre';
  load(this: unknown, id: string): string | undefined;
}

/** The same for Vite, Vitest and Rollup. */
export function wgslVite(options: WgslPluginOptions = {}): VitePlugin {
  expectOptions('wgslVite', options, OPTIONS);
  const { runtime = 'evenkeel', declarations = true } = options;
  return {
    name: 'evenkeel-wgsl',
    enforce: 'pre',
    load(id) {
      const [path, query] = id.split('?') as [string, string?];
      // `x.wgsl?raw` and `x.wgsl?url` are Vite's own.
      if (!path.endsWith('.wgsl') || /(^|&)(raw|url|inline)\b/.test(query ?? '')) return undefined;
      const { module, files } = loadWgsl(path);
      if (declarations) writeDeclaration(path, runtime, module);
      const watcher = this as { addWatchFile?(path: string): void } | undefined;
      for (const file of files) watcher?.addWatchFile?.(file);
      return emitWgsl(module, runtime);
    },
  };
}
